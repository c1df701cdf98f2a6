//! The text of a statement without its values.

use super::tokens::{Token, Tokens};

/// How a server reads SQL text, as far as that differs in what a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL and what speaks its protocol.
    Postgres,
    /// MySQL, MariaDB and what speaks their protocol.
    MySql,
    /// SQLite.
    Sqlite,
}

/// How much of a text is read, in bytes; a longer one is cut.
const READ: usize = 64 * 1024;

/// How long a normalised text gets, in bytes.
const LENGTH: usize = 1000;

/// What stands for the part that was cut.
const CUT: &str = "…";

/// One token of the result.
#[derive(Clone, Debug)]
struct Piece<'a> {
    text: &'a str,
    spaced: bool,
}

/// Brings a statement into a form that is the same for all its values and shows none of them.
///
/// String and number literals, placeholders, and `TRUE` and `FALSE` become `?`; lists of them
/// and repeated rows become one; comments go and whitespace is folded. What cannot be read with
/// certainty (a quote behind a backslash, an unterminated string, a version comment) cuts the
/// text: a value must not appear only because a server was set up in another way. What came
/// after the first string is cut too then, as an unescaped quote may have turned it inside out.
///
/// ```
/// use resilient_core::health::performance::{Dialect, normalise};
/// let sql = "select * from users -- hers\n where email = 'ann@example.com' and id in (1, 2)";
/// assert_eq!(
///     normalise(sql, Dialect::Postgres),
///     "select * from users where email = ? and id in (?)"
/// );
/// ```
pub fn normalise(sql: &str, dialect: Dialect) -> String {
    let mut end = sql.len().min(READ);
    while !sql.is_char_boundary(end) {
        end -= 1;
    }
    let mut pieces = Pieces::default();
    let mut tokens = Tokens::new(&sql[..end], dialect);
    let mut certain = end == sql.len();
    let mut cut = false;
    while let Some(token) = tokens.next() {
        let Ok(token) = token else {
            certain = false;
            break;
        };
        // What does not show is still read, as it tells whether the quotes come in pairs.
        if !cut {
            pieces.push(token, tokens.spaced);
            cut = pieces.full() || pieces.setting();
        }
    }
    if !certain {
        pieces.keep_to_first_string();
    }
    pieces.finish(cut || !certain)
}

#[derive(Debug, Default)]
struct Pieces<'a> {
    all: Vec<Piece<'a>>,
    /// Where open parentheses are.
    open: Vec<usize>,
    length: usize,
    /// A prefix such as `E` was left out before a string.
    prefix_spaced: bool,
    /// The parenthesis after `INSERT INTO table` is open, at this depth.
    columns: Option<usize>,
    /// How many pieces there were up to the first string.
    first_string: Option<usize>,
    /// Where the current one of several statements begins.
    start: usize,
}

impl<'a> Pieces<'a> {
    fn back(&self, n: usize) -> &'a str {
        let index = self.all.len().checked_sub(n);
        index.map_or("", |i| self.all[i].text)
    }

    fn word_back(&self, n: usize, any: &[&str]) -> bool {
        any.iter().any(|w| self.back(n).eq_ignore_ascii_case(w))
    }

    fn push(&mut self, token: Token<'a>, spaced: bool) {
        let spaced = spaced || std::mem::take(&mut self.prefix_spaced);
        match token {
            Token::Prefix => self.prefix_spaced = spaced,
            Token::Value => self.value(spaced),
            Token::String => {
                self.value(spaced);
                let first = self.all.len();
                self.first_string.get_or_insert(first);
            }
            Token::Word(word) if is_boolean(word) && self.back(1) != "." => self.value(spaced),
            Token::Word(word)
                if word.eq_ignore_ascii_case("null") && matches!(self.back(1), "(" | ",") =>
            {
                self.value(spaced);
            }
            Token::Word(word) | Token::Name(word) => self.add(word, spaced),
            Token::Doubtful(name) if self.is_name_here() => self.add(name, spaced),
            Token::Doubtful(_) => self.push(Token::String, spaced),
            Token::Sign(sign) => self.sign(sign, spaced),
        }
    }

    /// Whether a text in double quotes can only be a name in this place, to SQLite.
    fn is_name_here(&self) -> bool {
        const BEFORE_NAMES: &[&str] = &[
            ".", "into", "from", "join", "update", "table", "index", "as", "set",
        ];
        let distinct_from = self.word_back(1, &["from"]) && self.word_back(2, &["distinct"]);
        (self.word_back(1, BEFORE_NAMES) && !distinct_from)
            || (self.columns == Some(self.open.len()) && matches!(self.back(1), "(" | ","))
    }

    fn value(&mut self, spaced: bool) {
        // A sign is part of the number.
        let signed = matches!(self.back(1), "-" | "+")
            && matches!(self.back(2), "(" | "," | "=" | "<" | ">" | "<=" | ">=");
        if signed {
            self.drop_last();
        }
        if self.back(1) == "," && self.back(2) == "?" {
            self.drop_last();
        } else {
            self.add("?", spaced);
        }
    }

    fn sign(&mut self, sign: &'a str, spaced: bool) {
        match sign {
            "(" => {
                if self.word_back(2, &["into"]) {
                    self.columns = Some(self.open.len() + 1);
                }
                self.open.push(self.all.len());
                self.add(sign, spaced);
            }
            ")" => {
                self.add(sign, spaced);
                if self.columns == Some(self.open.len()) {
                    self.columns = None;
                }
                if let Some(start) = self.open.pop() {
                    self.fold_row(start);
                }
            }
            ";" => {
                self.add(sign, spaced);
                self.start = self.all.len();
            }
            _ => self.add(sign, spaced),
        }
    }

    /// Drops a parenthesis that repeats the one before it: one more row.
    fn fold_row(&mut self, start: usize) {
        let length = self.all.len() - start;
        let Some(before) = start.checked_sub(length + 1) else {
            return;
        };
        let same = self.all[start - 1].text == ","
            && self.all[before..start - 1]
                .iter()
                .zip(&self.all[start..])
                .all(|(a, b)| a.text == b.text);
        if same {
            while self.all.len() >= start {
                self.drop_last();
            }
        }
    }

    fn add(&mut self, text: &'a str, spaced: bool) {
        self.length += text.len() + usize::from(spaced);
        self.all.push(Piece { text, spaced });
    }

    fn drop_last(&mut self) {
        if let Some(piece) = self.all.pop() {
            self.length -= piece.text.len() + usize::from(piece.spaced);
        }
    }

    fn keep_to_first_string(&mut self) {
        if let Some(first) = self.first_string {
            self.all.truncate(first);
        }
    }

    fn full(&self) -> bool {
        self.length > LENGTH
    }

    /// Settings take their values as bare words too: `SET app.user TO ann`.
    fn setting(&self) -> bool {
        let first = self.all.get(self.start).map_or("", |p| p.text);
        let sets = ["set", "pragma"]
            .iter()
            .any(|w| first.eq_ignore_ascii_case(w));
        sets && self.word_back(1, &["=", "to", "("])
    }

    fn finish(&self, cut: bool) -> String {
        let mut text = String::with_capacity(self.length.min(LENGTH) + CUT.len());
        let mut cut = cut;
        for piece in &self.all {
            let tight = matches!(piece.text, "," | ")" | ";" | "." | "::");
            let space = piece.spaced && !tight && !text.is_empty() && !text.ends_with(['(', '.']);
            if text.len() + piece.text.len() + 1 > LENGTH {
                cut = true;
                break;
            }
            if space {
                text.push(' ');
            }
            push_folded(&mut text, piece.text);
        }
        if cut {
            text.push_str(CUT);
        }
        text
    }
}

fn is_boolean(word: &str) -> bool {
    word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false")
}

/// A quoted name may hold line breaks, which have no place in a log.
fn push_folded(text: &mut String, piece: &str) {
    text.extend(piece.chars().map(|c| if c.is_control() { ' ' } else { c }));
}

#[cfg(test)]
mod tests;
