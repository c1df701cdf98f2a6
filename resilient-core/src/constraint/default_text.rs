//! What is said about a constraint for which nothing was declared: plain words made of the names
//! of columns and tables.

use crate::ConstraintKind;

/// A message and a suggestion.
pub(super) fn texts(
    kind: ConstraintKind,
    table: Option<&str>,
    columns: &[String],
) -> (String, String) {
    let fields: Vec<String> = columns.iter().map(|column| words(column)).collect();
    let table = table.map(words);
    match (kind, &*fields) {
        (ConstraintKind::Unique, []) => (
            match &table {
                Some(table) => format!("the same entry is already in {table}"),
                None => "this already exists".to_owned(),
            },
            "change it so that it differs from what exists".to_owned(),
        ),
        (ConstraintKind::Unique, [field]) => (
            format!("this {field} is already taken"),
            format!("choose another {field}"),
        ),
        (ConstraintKind::Unique, fields) => (
            format!("this combination of {} is already taken", list(fields)),
            "change one of them".to_owned(),
        ),
        (ConstraintKind::ForeignKey, []) => (
            "this refers to something that does not exist".to_owned(),
            "choose one that exists, or create it first".to_owned(),
        ),
        (ConstraintKind::ForeignKey, _) => {
            let targets: Vec<String> = columns.iter().map(|c| words(target(c))).collect();
            let target = list(&targets);
            (
                format!("no such {target}"),
                format!("choose an existing {target}, or create it first"),
            )
        }
        (ConstraintKind::NotNull, []) => (
            "a required value is missing".to_owned(),
            "fill in what is required".to_owned(),
        ),
        (ConstraintKind::NotNull, fields) => (
            format!("{} is required", list(fields)),
            format!("give a value for {}", list(fields)),
        ),
        (ConstraintKind::Check, []) => (
            "a value is not allowed".to_owned(),
            "correct the values and try again".to_owned(),
        ),
        (ConstraintKind::Check, [field]) => (
            format!("this {field} is not allowed"),
            format!("correct the {field} and try again"),
        ),
        (ConstraintKind::Check, fields) => (
            format!("these values of {} do not go together", list(fields)),
            "correct one of them and try again".to_owned(),
        ),
        (ConstraintKind::Exclusion, fields) => (
            match &table {
                Some(table) => format!("this conflicts with another entry of {table}"),
                None => "this conflicts with another entry".to_owned(),
            },
            match fields {
                [] => "choose values that do not overlap".to_owned(),
                fields => format!("choose another {}", list(fields)),
            },
        ),
        (ConstraintKind::Restrict, _) => match &table {
            Some(table) => (
                format!("this is still used by {table}"),
                format!("remove or change the {table} that use it first"),
            ),
            None => (
                "this is still in use".to_owned(),
                "remove or change what uses it first".to_owned(),
            ),
        },
    }
}

/// `tenant_id` and `tenantId` as `tenant id`.
fn words(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut lower_before = false;
    for c in name.chars() {
        if matches!(c, '_' | '-' | ' ' | '.') {
            if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
            }
            lower_before = false;
            continue;
        }
        if c.is_uppercase() && lower_before {
            out.push(' ');
        }
        lower_before = c.is_lowercase();
        out.extend(c.to_lowercase());
    }
    out.trim_end().to_owned()
}

/// What a column refers to: `team` of `team_id`.
fn target(column: &str) -> &str {
    ["_id", "_uuid", "_fk", "Id"]
        .iter()
        .find_map(|end| column.strip_suffix(end).filter(|rest| !rest.is_empty()))
        .unwrap_or(column)
}

fn list(fields: &[String]) -> String {
    match fields {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: ConstraintKind, columns: &[&str]) -> String {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        texts(kind, Some("order_lines"), &columns).0
    }

    #[test]
    fn reads_like_a_sentence() {
        use ConstraintKind as K;
        for (kind, columns, expected) in [
            (K::Unique, &["email"][..], "this email is already taken"),
            (
                K::Unique,
                &["tenant_id", "handle"],
                "this combination of tenant id and handle is already taken",
            ),
            (K::Unique, &[], "the same entry is already in order lines"),
            (K::ForeignKey, &["team_id"], "no such team"),
            (K::ForeignKey, &["ownerId"], "no such owner"),
            (K::ForeignKey, &["_id"], "no such id"),
            (K::NotNull, &["firstName"], "first name is required"),
            (K::Check, &["age"], "this age is not allowed"),
            (K::Check, &[], "a value is not allowed"),
            (
                K::Exclusion,
                &["room"],
                "this conflicts with another entry of order lines",
            ),
            (K::Restrict, &["id"], "this is still used by order lines"),
        ] {
            assert_eq!(message(kind, columns), expected);
        }
    }
}
