//! The names that a constraint gets when nobody chooses one, and the columns that an expression
//! speaks of.

use crate::ConstraintKind;

/// How many bytes of a name PostgreSQL keeps (`NAMEDATALEN` - 1).
const POSTGRES_NAME_BYTES: usize = 63;

/// Whether `actual` is `wanted`, or what PostgreSQL leaves of it.
pub(super) fn same_name(wanted: &str, actual: &str) -> bool {
    wanted == actual || (wanted.len() > POSTGRES_NAME_BYTES && clipped(wanted) == actual)
}

/// The first 63 bytes, without half a character at the end.
pub(super) fn clipped(name: &str) -> &str {
    &name[..name.floor_char_boundary(POSTGRES_NAME_BYTES)]
}

/// Whether an engine, SeaORM or a widespread habit calls a constraint of this kind on these
/// columns so.
pub(super) fn is_generated(
    name: &str,
    kind: ConstraintKind,
    table: &str,
    columns: &[&str],
) -> bool {
    let Some(first) = columns.first() else {
        return false;
    };
    let snake = columns.join("_");
    // SeaORM: `idx-users-tenant_id-handle`, `fk-users-team_id`; also with underscores.
    let prefixed = |prefixes: &[&str]| {
        prefixes.iter().any(|prefix| {
            same_name(&format!("{prefix}-{table}-{}", columns.join("-")), name)
                || same_name(&format!("{prefix}_{table}_{snake}"), name)
        })
    };
    // PostgreSQL: `users_email_key`.
    let labelled = |labels: &[&str]| {
        labels
            .iter()
            .any(|label| postgres_name(table, &snake, label) == name)
    };
    match kind {
        ConstraintKind::Unique => {
            prefixed(&["idx", "uk", "uq", "unique"])
                || labelled(&["key", "idx", "uniq", "unique"])
                // MySQL: the first column, numbered where that is taken.
                || numbered(name, first)
        }
        ConstraintKind::ForeignKey | ConstraintKind::Restrict => {
            prefixed(&["fk"]) || labelled(&["fkey", "fk"])
                // MySQL.
                || name.strip_prefix(table).is_some_and(|rest| numbered(rest, "_ibfk"))
        }
        ConstraintKind::Check => {
            prefixed(&["chk", "ck", "check"])
                || labelled(&["check", "chk"])
                // MariaDB: `age` or `users.age`.
                || (columns.len() == 1
                    && (name == *first || name.strip_prefix(table) == Some(&format!(".{first}"))))
        }
        ConstraintKind::Exclusion => prefixed(&["excl", "ex"]) || labelled(&["excl"]),
        ConstraintKind::NotNull => labelled(&["not_null"]),
    }
}

/// MySQL's `email`, `email_2`.
fn numbered(name: &str, column: &str) -> bool {
    name.strip_prefix(column).is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('_').is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
            })
    })
}

/// How PostgreSQL puts a name together: the longer of the two parts gives way until all fits
/// (`makeObjectName` in `src/backend/commands/indexcmds.c`).
fn postgres_name(table: &str, columns: &str, label: &str) -> String {
    let room = POSTGRES_NAME_BYTES.saturating_sub(label.len() + 2);
    let (mut left, mut right) = (table.len(), columns.len());
    while left + right > room {
        if left > right {
            left -= 1;
        } else {
            right -= 1;
        }
    }
    let part = |text: &str, bytes: usize| text[..text.floor_char_boundary(bytes)].to_owned();
    format!("{}_{}_{label}", part(table, left), part(columns, right))
}

/// The columns that an SQL expression mentions, in order: its identifiers, without functions,
/// types after `::`, keywords and text in quotes.
///
/// ```
/// use resilient_core::constraint::columns_in_expression;
/// assert_eq!(columns_in_expression("lower((email)::text)"), ["email"]);
/// assert_eq!(columns_in_expression("`from` < `to` and kind = 'x y'"), ["from", "to", "kind"]);
/// ```
pub fn columns_in_expression(expression: &str) -> Vec<String> {
    let mut mentioned = Mentioned::default();
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '\'' => {
                mentioned.skip = 0;
                after_quoted(rest, c).1
            }
            '"' | '`' => {
                let (name, tail) = after_quoted(rest, c);
                mentioned.quoted(name, tail);
                tail
            }
            '[' => match rest[1..].split_once(']') {
                // SQLite takes it for a quote, others for an index or an array.
                Some((name, tail)) if is_name(name) => {
                    mentioned.quoted(name.to_owned(), tail);
                    tail
                }
                _ => &rest[1..],
            },
            ':' if rest.starts_with("::") => {
                mentioned.skip = 1;
                &rest[2..]
            }
            c if c.is_alphabetic() || c == '_' => {
                let (word, tail) = split_while(rest, |c| c.is_alphanumeric() || "_$".contains(c));
                mentioned.word(word, tail);
                tail
            }
            c if c.is_ascii_digit() => split_while(rest, char::is_alphanumeric).1,
            c => {
                if !c.is_whitespace() {
                    mentioned.skip = 0;
                }
                &rest[c.len_utf8()..]
            }
        };
    }
    mentioned.columns
}

/// What an expression has mentioned so far.
#[derive(Default)]
struct Mentioned {
    columns: Vec<String>,
    /// How many of the words that follow a cast or a collation are not columns.
    skip: u8,
}

impl Mentioned {
    fn add(&mut self, name: String) {
        if !name.is_empty() && !self.columns.contains(&name) {
            self.columns.push(name);
        }
    }

    fn quoted(&mut self, name: String, tail: &str) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if !tail.starts_with('(') {
            self.add(name);
        }
    }

    fn word(&mut self, word: &str, tail: &str) {
        let lower = word.to_ascii_lowercase();
        let next = tail.trim_start();
        self.skip = match (self.skip, lower.as_str()) {
            // Types of several words: `double precision`, `timestamp without time zone`.
            (_, "collate" | "as") | (1, "double") => 1,
            (1, "character" | "bit") if next.starts_with("varying") => 1,
            (1, "time" | "timestamp") if next.starts_with("with") => 3,
            (0, _) => {
                // `date '2000-01-01'`, `_utf8mb4'x'`.
                let literal = next.starts_with('\'');
                if !literal && !next.starts_with('(') && !KEYWORDS.contains(&lower.as_str()) {
                    self.add(word.to_owned());
                }
                0
            }
            (n, _) => n - 1,
        };
    }
}

/// Words of an expression that are no columns.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "between",
    "binary",
    "case",
    "cast",
    "check",
    "collate",
    "constraint",
    "distinct",
    "div",
    "else",
    "end",
    "escape",
    "exists",
    "false",
    "from",
    "glob",
    "ilike",
    "in",
    "interval",
    "is",
    "like",
    "mod",
    "not",
    "null",
    "or",
    "regexp",
    "rlike",
    "signed",
    "similar",
    "then",
    "to",
    "true",
    "unsigned",
    "when",
    "xor",
];

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == ' ')
}

fn split_while(text: &str, fits: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !fits(c)).unwrap_or(text.len()))
}

/// What a quoted text at the beginning holds, doubled quotes undone, and what follows it.
fn after_quoted(text: &str, quote: char) -> (String, &str) {
    let body = &text[1..];
    let mut from = 0;
    while let Some(at) = body[from..].find(quote).map(|at| from + at) {
        if !body[at + 1..].starts_with(quote) {
            let twice = format!("{quote}{quote}");
            return (
                body[..at].replace(&twice, &quote.to_string()),
                &body[at + 1..],
            );
        }
        from = at + 2;
    }
    (body.to_owned(), "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConstraintKind as K;

    #[test]
    fn names_that_engines_and_sea_orm_give() {
        for (name, kind, columns) in [
            ("users_email_key", K::Unique, &["email"][..]),
            ("idx-users-email", K::Unique, &["email"]),
            ("email", K::Unique, &["email"]),
            ("email_2", K::Unique, &["email"]),
            (
                "users_tenant_id_handle_key",
                K::Unique,
                &["tenant_id", "handle"],
            ),
            ("fk-users-team_id", K::ForeignKey, &["team_id"]),
            ("users_team_id_fkey", K::Restrict, &["team_id"]),
            ("users_age_check", K::Check, &["age"]),
            ("users.age", K::Check, &["age"]),
        ] {
            assert!(is_generated(name, kind, "users", columns), "{name}");
        }
        assert!(!is_generated(
            "users_email_key",
            K::Unique,
            "users",
            &["handle"]
        ));
        assert!(!is_generated("email_x", K::Unique, "users", &["email"]));
        assert!(!is_generated("x", K::Unique, "users", &[]));
    }

    #[test]
    fn names_cut_off_at_63_bytes() {
        let long = "a".repeat(50);
        // PostgreSQL 15: CREATE TABLE aaa.. (bbb.. int UNIQUE), 50 letters each.
        let name = format!("{}_{}_key", "a".repeat(29), "b".repeat(29));
        assert_eq!(name.len(), 63);
        assert!(is_generated(&name, K::Unique, &long, &[&"b".repeat(50)]));
        let name = format!("idx-{long}-{}", "b".repeat(50));
        assert!(same_name(&name, &name[..63]));
        // Half an umlaut is not kept.
        let name = format!("{}ü", "x".repeat(62));
        assert!(same_name(&name, &"x".repeat(62)));
        assert!(!same_name("short", "shor"));
    }

    #[test]
    fn columns_of_expressions() {
        for (expression, columns) in [
            ("lower(email)", &["email"][..]),
            ("(age >= 13)", &["age"]),
            (
                "((age IS NOT NULL) AND (name <> ''::text))",
                &["age", "name"],
            ),
            (
                "`age` >= 13 and `name` <> _utf8mb4'it''s (age2)'",
                &["age", "name"],
            ),
            ("starts_at < ends_at", &["starts_at", "ends_at"]),
            ("\"a b\" > 1e5", &["a b"]),
            ("name COLLATE nocase", &["name"]),
            ("x = ANY (ARRAY['a'::text, 'b'::character varying])", &["x"]),
            ("char_length(`handle`) > 2", &["handle"]),
            ("'unclosed", &[]),
            ("", &[]),
        ] {
            assert_eq!(columns_in_expression(expression), columns, "{expression}");
        }
    }
}
