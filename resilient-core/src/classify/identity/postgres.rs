//! `PostgreSQL` sends constraint, table and column apart. The columns of a key are only in
//! DETAIL, `Key (a, "b c")=(1, x) already exists.`, translated but always in this order, so
//! the names stand before every value.

use super::super::{Engine, ErrorReport};
use super::{Identity, between};

/// For the violations: 23001, 23502, 23503, 23505, 23P01.
pub(in super::super) fn postgres(report: &ErrorReport<'_>) -> Identity {
    // A user's RAISE fills these texts as it likes.
    if report.routine == Some("exec_stmt_raise") {
        return Identity::default();
    }
    // CockroachDB sends the constraint alone.
    let fields_missing = report.table.is_none()
        && (report.engine == Some(Engine::CockroachDb)
            || (report.engine.is_none() && report.routine.is_none()));
    match report.code {
        "23502" if fields_missing => Identity::column(between(
            report.message,
            "null value in column \"",
            "\" violates not-null constraint",
        )),
        "23502" => Identity::default(),
        "23503" | "23001" => Identity {
            referenced_table: referenced_table(report).map(str::to_owned),
            table: fields_missing
                .then(|| referencing_table(report.message))
                .flatten()
                .map(str::to_owned),
            columns: report.detail.map(raw_columns).unwrap_or_default(),
            ..Identity::default()
        },
        _ => {
            let (columns, expression) = report
                .detail
                // CockroachDB up to 20: `duplicate key value (email)=('a@b') violates ...`.
                .or_else(|| {
                    let text = report.message.strip_prefix("duplicate key value ")?;
                    text.starts_with('(').then_some(text)
                })
                .map(quoted_columns)
                .unwrap_or_default();
            Identity {
                columns,
                expression,
                ..Identity::default()
            }
        }
    }
}

/// The value in `Key (email)=(a@b) already exists.`, as far as it can be told from the words
/// around it: without a translation, and for one column.
pub(super) fn key_value<'a>(report: &ErrorReport<'a>) -> Option<&'a str> {
    let (names, rest) = report.detail?.split_once(")=(")?;
    if !matches!(report.code, "23505" | "23503" | "23P01") || names.contains(',') {
        return None;
    }
    [") already exists.", ") is not present in table \""]
        .iter()
        .find_map(|end| Some(rest.rsplit_once(end)?.0))
}

/// The table that holds the foreign key: the last one of
/// `... on table "p" violates foreign key constraint "fk" on table "c"`.
fn referencing_table(message: &str) -> Option<&str> {
    message.rsplit_once(" on table \"")?.1.split('"').next()
}

/// The parent, which no field has. Both texts are translated, but name nothing else.
fn referenced_table<'a>(report: &ErrorReport<'a>) -> Option<&'a str> {
    let by_delete = between_first(
        report.message,
        "update or delete on table \"",
        "\" violates ",
    );
    let by_insert = || {
        let (_, table) = report.detail?.rsplit_once(") is not present in table \"")?;
        table.strip_suffix("\".")
    };
    by_delete.or_else(by_insert)
}

/// What stands between a fixed beginning and the first occurrence of `end`.
fn between_first<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.strip_prefix(start)?.split_once(end)?.0)
}

/// The beginning of the text, which no name has reached yet. CockroachDB's is shorter.
pub(super) fn is_still_referenced(report: &ErrorReport<'_>) -> Option<bool> {
    let (operation, _) = report.message.split_once(" on table ")?;
    match operation {
        "update or delete" | "delete" => Some(true),
        "insert or update" | "insert" | "upsert" => Some(false),
        _ => None,
    }
}

/// The names of a foreign key's columns, which the server prints without quoting them: what
/// stands before the first `)=(`.
fn raw_columns(detail: &str) -> Vec<String> {
    let Some((names, _)) = detail.split_once(")=(") else {
        return Vec::new();
    };
    let names = match names.strip_prefix("Key (") {
        Some(names) => names,
        None => match names.rsplit_once('(') {
            Some((_, names)) => names,
            None => return Vec::new(),
        },
    };
    names.split(", ").map(str::to_owned).collect()
}

/// The names or expressions of a unique or exclusion key, quoted where SQL would quote them, and
/// whether there are expressions among them.
fn quoted_columns(detail: &str) -> (Vec<String>, bool) {
    // A translation may put something in parentheses first; the key's are followed by `=(`.
    let mut rest = detail;
    while let Some((_, inner)) = rest.split_once('(') {
        match key(inner) {
            Some((items, true)) => {
                let expression = items
                    .iter()
                    .any(|item| unquoted(item) == *item && is_call(item));
                return (items.into_iter().map(unquoted).collect(), expression);
            }
            Some((_, false)) => rest = inner,
            None => break,
        }
    }
    (Vec::new(), false)
}

/// Whether an item that SQL would not quote is more than a name.
fn is_call(item: &str) -> bool {
    item.contains('(') || item.contains("::") || item.contains('"')
}

/// The comma-separated items up to the closing parenthesis, and whether `=(` follows it;
/// nothing where the parentheses do not close.
fn key(inner: &str) -> Option<(Vec<&str>, bool)> {
    let mut items = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0_u32, None);
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth > 0 => depth -= 1,
            (None, ')') => {
                items.push(inner[start..at].trim_ascii());
                return Some((items, inner[at..].starts_with(")=(")));
            }
            (None, ',') if depth == 0 => {
                items.push(inner[start..at].trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// `"a""b"` as `a"b`; an expression as it is.
fn unquoted(item: &str) -> String {
    let item = item.trim_ascii();
    let Some(name) = between(item, "\"", "\"") else {
        return item.to_owned();
    };
    // `"a" || "b"` is an expression, not one name.
    if name.replace("\"\"", "").contains('"') {
        return item.to_owned();
    }
    name.replace("\"\"", "\"")
}
