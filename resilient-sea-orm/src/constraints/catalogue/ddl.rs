//! What SQLite keeps only as text: CREATE TABLE and CREATE INDEX.
//!
//! It is read token by token, not parsed: SQLite takes much that no grammar of others has, prints
//! a check's own text in errors, and gives names in a way of its own.

use sqlparser::{
    dialect::SQLiteDialect,
    tokenizer::{Location, Token, Tokenizer},
};

/// What CREATE TABLE says beyond the pragmas.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Definitions {
    pub(super) checks: Vec<Check>,
    pub(super) uniques: Vec<Unique>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    /// The primary key's name.
    pub(super) primary: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// What errors print: its name, or else its text.
    pub(super) name: String,
    /// The words in it that may be columns.
    pub(super) columns: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unique {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForeignKey {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<String>,
    pub(super) parent: String,
}

/// Reads a CREATE TABLE; `None` where it is not understood.
pub(super) fn table(sql: &str) -> Option<Definitions> {
    let tokens = tokens(sql)?;
    let mut reader = Reader {
        sql,
        found: Definitions::default(),
        name: None,
    };
    let mut after_constraint = false;
    for item in split(inside(&tokens)?) {
        let is_constraint = item.first().is_some_and(|first| {
            let starts = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
            starts.iter().any(|word| first.is(word))
        });
        // A name stays until it is forgotten: at the next column, or at a comma behind a
        // constraint. So `a int CONSTRAINT n, CHECK (a > 0)` names the check.
        if !is_constraint || after_constraint {
            reader.name = None;
        }
        after_constraint = is_constraint;
        let column = if is_constraint {
            None
        } else {
            Some(item.first()?.name()?)
        };
        reader.item(item, column);
    }
    Some(reader.found)
}

/// The text of a CREATE INDEX's part at this place.
pub(super) fn index_part(sql: &str, place: usize) -> Option<String> {
    let tokens = tokens(sql)?;
    let part = *split(inside(&tokens)?).get(place)?;
    let (first, last) = (part.first()?, part.last()?);
    Some(sql.get(first.start..last.end)?.to_owned())
}

/// The text behind the WHERE of a CREATE INDEX.
pub(super) fn index_condition(sql: &str) -> Option<String> {
    let tokens = tokens(sql)?;
    let start = tokens.iter().position(Piece::opens)?;
    let mut after = tokens.get(start + closing(&tokens[start..])..)?.iter();
    let condition = after.find(|piece| piece.is("WHERE"))?;
    Some(sql.get(condition.end..)?.to_owned())
}

struct Reader<'a> {
    sql: &'a str,
    found: Definitions,
    name: Option<String>,
}

impl Reader<'_> {
    /// A column, or one or more constraints of the table.
    fn item(&mut self, item: &[Piece], column: Option<&str>) {
        let mut columns: Vec<String> = column.map(str::to_owned).into_iter().collect();
        let mut at = columns.len();
        while let Some(piece) = item.get(at) {
            at += 1;
            let rest = &item[at..];
            let group = rest.first().is_some_and(Piece::opens);
            if piece.opens() {
                at += closing(&item[at - 1..]);
            } else if piece.is("CONSTRAINT") {
                self.name = rest.first().and_then(Piece::name).map(str::to_owned);
                at += 1;
            } else if piece.is("CHECK") && group {
                let end = closing(rest);
                self.check(rest, end);
                at += end + 1;
            } else if piece.is("PRIMARY") {
                self.found.primary.clone_from(&self.name);
            } else if piece.is("UNIQUE") {
                let columns = if group { names(rest) } else { columns.clone() };
                let name = self.name.clone();
                self.found.uniques.push(Unique { name, columns });
            } else if piece.is("FOREIGN") {
                columns = names(rest.get(1..).unwrap_or_default());
            } else if piece.is("REFERENCES")
                && let Some(parent) = rest.first().and_then(Piece::name)
            {
                self.found.foreign_keys.push(ForeignKey {
                    name: self.name.clone(),
                    columns: columns.clone(),
                    parent: parent.to_owned(),
                });
            }
        }
    }

    fn check(&mut self, group: &[Piece], end: usize) {
        let (Some(open), Some(close)) = (group.first(), group.get(end)) else {
            return;
        };
        let text = self.sql.get(open.end..close.start).unwrap_or_default();
        let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
        self.found.checks.push(Check {
            name: self.name.clone().unwrap_or_else(|| dequoted(text)),
            columns: resilient_core::constraint::columns_in_expression(text),
        });
    }
}

/// SQLite takes the text for a name, and so keeps of one that begins with a quoted word nothing
/// but this word: `"age" > 0` becomes `age`.
fn dequoted(text: &str) -> String {
    let quote = match text.chars().next() {
        Some(quote @ ('"' | '`' | '\'')) => quote,
        Some('[') => ']',
        _ => return text.to_owned(),
    };
    let mut name = String::new();
    let mut rest = text[1..].chars().peekable();
    while let Some(c) = rest.next() {
        if c == quote && rest.next_if_eq(&quote).is_none() {
            break;
        }
        name.push(c);
    }
    name
}

/// A token with its place in the text.
#[derive(Debug)]
struct Piece {
    token: Token,
    start: usize,
    end: usize,
}

impl Piece {
    fn opens(&self) -> bool {
        self.token == Token::LParen
    }

    fn is(&self, keyword: &str) -> bool {
        matches!(&self.token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
    }

    /// SQLite also takes text in single quotes for a name.
    fn name(&self) -> Option<&str> {
        match &self.token {
            Token::Word(word) => Some(&word.value),
            Token::SingleQuotedString(text) => Some(text),
            _ => None,
        }
    }
}

/// The tokens without blanks and comments.
fn tokens(sql: &str) -> Option<Vec<Piece>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    let mut places = Places {
        chars: sql.char_indices(),
        end: sql.len(),
        at: Location::new(1, 1),
    };
    let mut pieces = Vec::new();
    for token in tokens {
        if !matches!(token.token, Token::Whitespace(_)) {
            pieces.push(Piece {
                start: places.offset(token.span.start),
                end: places.offset(token.span.end),
                token: token.token,
            });
        }
    }
    Some(pieces)
}

/// Lines and columns as offsets; asked in order.
struct Places<'a> {
    chars: std::str::CharIndices<'a>,
    end: usize,
    at: Location,
}

impl Places<'_> {
    fn offset(&mut self, location: Location) -> usize {
        while self.at < location {
            match self.chars.next() {
                Some((_, '\n')) => self.at = Location::new(self.at.line + 1, 1),
                Some(_) => self.at.column += 1,
                None => return self.end,
            }
        }
        self.chars.offset()
    }
}

/// What the first parentheses hold.
fn inside(tokens: &[Piece]) -> Option<&[Piece]> {
    let start = tokens.iter().position(Piece::opens)?;
    let group = &tokens[start..];
    group.get(1..closing(group))
}

/// The place of the parenthesis that closes the first one; beyond the end if none does.
fn closing(group: &[Piece]) -> usize {
    let mut depth = 0_usize;
    for (at, piece) in group.iter().enumerate() {
        match piece.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    group.len()
}

/// What commas separate, those within parentheses aside.
fn split(tokens: &[Piece]) -> Vec<&[Piece]> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, piece) in tokens.iter().enumerate() {
        match piece.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Comma if depth == 0 => {
                parts.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// The columns that a group in parentheses names.
fn names(group: &[Piece]) -> Vec<String> {
    let parts = split(inside(group).unwrap_or_default());
    let names = parts.iter().filter_map(|part| part.first()?.name());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(sql: &str) -> Vec<String> {
        let checks = table(sql).expect(sql).checks;
        checks.into_iter().map(|check| check.name).collect()
    }

    #[test]
    fn checks_are_called_as_errors_call_them() {
        // Printed by SQLite 3.40 and 3.51 for a violation.
        for (columns, name) in [
            ("age int check (  age >= 13 )", "age >= 13"),
            ("age int CHECK (\"age\" >= 13)", "age"),
            ("age int check (`age` >= 13 and [age] > 0)", "age"),
            ("age int check ([age] >= 13)", "age"),
            ("\"a\"\"ge\" int check (\"a\"\"ge\" >= 13)", "a\"ge"),
            ("age int check ('x' = age)", "x"),
            ("age int constraint \"na\"\"m\" check (age >= 13)", "na\"m"),
            ("age int constraint nam not null check (age > 14)", "nam"),
            ("age int constraint nam, check (age > 14)", "nam"),
            (
                "ü int default (1), -- ä\r\n age int check ((age > 14))",
                "(age > 14)",
            ),
            (
                "age int check (age /* c */ > -- foo)\n 14 /*e*/ )",
                "age /* c */ > -- foo)\n 14 /*e*/",
            ),
        ] {
            let sql = format!("CREATE TABLE t ({columns})");
            assert_eq!(checks(&sql), [name], "{sql}");
        }
        let persisting = "CREATE TABLE t(age int, constraint n check (age > 3) check (age > 4))";
        assert_eq!(checks(persisting), ["n", "n"]);
        let forgotten = "CREATE TABLE t(age int, constraint n check (age > 3), check (age > 4))";
        assert_eq!(checks(forgotten), ["n", "age > 4"]);
    }

    #[test]
    fn names_of_keys() {
        let found = table(
            "CREATE TABLE \"main\".\"a (b\" (
                'id' INTEGER CONSTRAINT pk PRIMARY KEY AUTOINCREMENT,
                [team id] decimal(10, 2) DEFAULT (abs(-1)) CONSTRAINT fk1 REFERENCES teams,
                a text CONSTRAINT ua UNIQUE ON CONFLICT FAIL, b text COLLATE nocase unique,
                c int GENERATED ALWAYS AS (a || ',') VIRTUAL,
                CONSTRAINT uab UNIQUE (a COLLATE nocase, \"b\" DESC),
                CONSTRAINT fk2 FOREIGN KEY (a, b) REFERENCES `p q` (x, y) ON DELETE CASCADE,
                FOREIGN KEY (b) REFERENCES r
            ) WITHOUT ROWID, STRICT",
        )
        .expect("understood");
        let unique = |name: Option<&str>, columns: &[&str]| Unique {
            name: name.map(str::to_owned),
            columns: columns.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            found.uniques,
            [
                unique(Some("ua"), &["a"]),
                unique(None, &["b"]),
                unique(Some("uab"), &["a", "b"]),
            ]
        );
        let keys: Vec<_> = found
            .foreign_keys
            .iter()
            .map(|k| (k.name.as_deref(), k.columns.join(","), &*k.parent))
            .collect();
        assert_eq!(
            keys,
            [
                (Some("fk1"), "team id".to_owned(), "teams"),
                (Some("fk2"), "a,b".to_owned(), "p q"),
                (None, "b".to_owned(), "r"),
            ]
        );
        assert_eq!(found.primary.as_deref(), Some("pk"));
        assert_eq!(found.checks, []);
    }

    #[test]
    fn parts_of_indexes() {
        let sql = "CREATE UNIQUE INDEX \"i(\" ON t (a, lower(b) , (c + 1) DESC) WHERE a > (0)";
        assert_eq!(index_part(sql, 0).as_deref(), Some("a"));
        assert_eq!(index_part(sql, 1).as_deref(), Some("lower(b)"));
        assert_eq!(index_part(sql, 2).as_deref(), Some("(c + 1) DESC"));
        assert_eq!(index_part(sql, 3), None);
        assert_eq!(index_part("CREATE", 0), None);
        assert_eq!(index_condition(sql).as_deref(), Some(" a > (0)"));
        assert_eq!(index_condition("CREATE INDEX i ON t (\"where\")"), None);
    }

    #[test]
    fn nonsense_is_refused_or_empty() {
        for sql in [
            "",
            "CREATE TABLE t",
            "CREATE TABLE t (a 'unclosed",
            "x (,)",
            "x (1 int)",
        ] {
            assert_eq!(table(sql), None, "{sql}");
        }
        for sql in [
            "x (a CHECK)",
            "x (a CHECK (",
            "x (a REFERENCES)",
            "x (UNIQUE (",
            "x (FOREIGN)",
        ] {
            let found = table(sql).unwrap_or_default();
            assert!(found.checks.is_empty(), "{sql}");
        }
    }
}
