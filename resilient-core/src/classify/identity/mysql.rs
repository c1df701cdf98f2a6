//! `MySQL` and its relatives have no fields: names stand in the text, in quotes that the value
//! beside them may contain too, and the text may be in any of thirty languages.

use super::super::{Engine, ErrorReport};
use super::{Identity, between};

/// For the numbers whose text names something.
pub(in super::super) fn mysql(number: u32, report: &ErrorReport<'_>) -> Identity {
    let text = report.message.trim_ascii_end();
    match number {
        1062 | 1586 => key(duplicate_key(text), report),
        1569 | 1859 => key(last_quoted(text), report),
        // Can't write; duplicate key in table 't'.
        1022 | 1169 => Identity::table(last_quoted(text)),
        // ... record 'VALUE' would lead to a duplicate entry in table 'child', key 'uq'.
        1761 => Identity {
            table: text
                .rsplit_once('\'')
                .and_then(|(head, _)| head.rsplit_once('\''))
                .and_then(|(head, _)| last_quoted(head))
                .map(str::to_owned),
            ..Identity::constraint(last_quoted(text))
        },
        // Foreign key constraints for table 'parent', record 'VALUE' ...: the table is first.
        1557 | 1762 | 1114 | 1194 | 1195 | 1824 => Identity::table(quoted(text).next()),
        1216 | 1217 | 1451 | 1452 | 1701 => foreign_key(text),
        4025 => check(text),
        3819 => Identity::constraint(outer_quoted(text)),
        1369 => Identity::table(view(text)),
        1048 | 1263 | 1264 | 1265 | 1406 | 3673 => Identity::column(outer_quoted(text)),
        1364 => Identity::column(
            between(text, "Field '", "' doesn't have a default value")
                .or_else(|| quoted(text).next()),
        ),
        1292 | 1366 => row_value(text),
        3140 => match last_quoted(text).and_then(|path| path.split_once('.')) {
            Some((table, column)) => Identity {
                table: Some(table.to_owned()),
                ..Identity::column(Some(column))
            },
            None => Identity::default(),
        },
        1054 => Identity::column(quoted(text).next().map(last_part)),
        1146 => Identity::table(quoted(text).next().map(last_part)),
        1142 => Identity::table(last_backquoted(text).or_else(|| last_quoted(text))),
        1553 | 1826 | 3780 => Identity::constraint(last_quoted(text)),
        1821 | 1822 => Identity {
            table: quoted(text).nth(1).map(str::to_owned),
            ..Identity::constraint(quoted(text).next())
        },
        1828..=1830 | 1832 | 1833 => Identity {
            constraint: quoted(text).nth(1).map(str::to_owned),
            table: last_backquoted(text)
                .or_else(|| quoted(text).nth(2).map(last_part))
                .map(str::to_owned),
            ..Identity::column(quoted(text).next())
        },
        3730 => Identity {
            table: quoted(text).nth(2).map(str::to_owned),
            ..Identity::constraint(quoted(text).nth(1))
        },
        1712 => Identity::constraint(between(text, "Index ", " is corrupted")),
        _ => Identity::default(),
    }
}

/// The name of the key in `Duplicate entry 'VALUE' for key 'NAME'`, in any language.
///
/// In English the last `' for key '` is the server's own. Elsewhere the name is what the last
/// pair of quotes holds; no translation puts the value after it.
fn duplicate_key(text: &str) -> Option<&str> {
    if !text.starts_with("Duplicate entry '") {
        return last_quoted(text);
    }
    let (_, name) = text.rsplit_once("' for key '")?;
    name.strip_suffix('\'')
}

/// The value in `Duplicate entry 'VALUE' for key 'NAME'`. The columns of a key are joined by `-`,
/// which values may hold too, so this is one text.
pub(super) fn key_value<'a>(report: &ErrorReport<'a>) -> Option<&'a str> {
    let text = report.message.trim_ascii_end();
    if !matches!(report.code, "1062" | "1586") {
        return None;
    }
    let rest = text.strip_prefix("Duplicate entry '")?;
    Some(rest.rsplit_once("' for key '")?.0)
}

/// A key's name, without the table that `MySQL` 8.0.19 and `TiDB` put before it.
///
/// `a.b.c` is taken for the key `b.c` of table `a`: unless the table is known, a dot in the
/// name of an index is likelier than one in the name of a table. `MariaDB` prints no table.
fn key(name: Option<&str>, report: &ErrorReport<'_>) -> Identity {
    let Some(name) = name else {
        return Identity::default();
    };
    if report.engine == Some(Engine::MariaDb) {
        return Identity::constraint(Some(name));
    }
    let known = report
        .table
        .and_then(|table| Some((table, name.strip_prefix(table)?.strip_prefix('.')?)));
    match known.or_else(|| name.split_once('.')) {
        Some((table, key)) if !table.is_empty() && !key.is_empty() => Identity {
            table: Some(table.to_owned()),
            ..Identity::constraint(Some(key))
        },
        _ => Identity::constraint(Some(name)),
    }
}

/// ``(`db`.`child`, CONSTRAINT `fk` FOREIGN KEY (`a`, `b`) REFERENCES ...``: no values, and no
/// name before the child's. The parenthesis is another one in Chinese. The end may be cut off.
fn foreign_key(text: &str) -> Identity {
    let at = text
        .find('`')
        .filter(|at| text[..*at].ends_with(['(', '（']));
    let Some(at) = at else {
        return Identity::default();
    };
    let (schema, table, rest) = path(&text[at..]);
    let mut identity = Identity {
        schema,
        table,
        ..Identity::default()
    };
    let Some(rest) = rest.strip_prefix(", CONSTRAINT ") else {
        return identity;
    };
    let Some((constraint, rest)) = backquoted(rest) else {
        return identity;
    };
    identity.constraint = Some(constraint);
    let (columns, rest) = names(rest.strip_prefix(" FOREIGN KEY (").unwrap_or_default());
    identity.columns = columns;
    if let Some(parent) = rest.strip_prefix(") REFERENCES ") {
        let (_, table, rest) = path(parent);
        identity.referenced_table = table;
        identity.referenced_columns = names(rest.strip_prefix(" (").unwrap_or_default()).0;
    }
    identity
}

/// `` `a`, `b` `` at the beginning, and what follows it.
fn names(text: &str) -> (Vec<String>, &str) {
    let (mut names, mut rest) = (Vec::new(), text);
    while let Some((name, tail)) = backquoted(rest) {
        names.push(name);
        match tail.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return (names, tail),
        }
    }
    (names, rest)
}

/// `MariaDB`'s ``CONSTRAINT `name` failed for `db`.`table` ``, in any language. The check of a
/// column is called `table.column`.
fn check(text: &str) -> Identity {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let Some((name, tail)) = backquoted(&rest[at..]) else {
            break;
        };
        names.push(name);
        rest = tail;
    }
    if names.len() != 3 {
        return Identity::default();
    }
    let table = names.pop();
    let schema = names.pop();
    let constraint = names.swap_remove(0);
    let column = table
        .as_deref()
        .and_then(|table| constraint.strip_prefix(table)?.strip_prefix('.'));
    Identity {
        columns: column.map(str::to_owned).into_iter().collect(),
        constraint: Some(constraint),
        schema,
        table,
        ..Identity::default()
    }
}

/// The view in ``CHECK OPTION failed `db`.`view` `` or `'db.view'`.
fn view(text: &str) -> Option<&str> {
    last_backquoted(text).or_else(|| last_quoted(text).map(last_part))
}

/// The column in `Incorrect integer value: 'VALUE' for column 'c' at row 1`, or in `MariaDB`'s
/// ``for column `db`.`t`.`c` at row 1``. Without the row's number at the end, there is no
/// column either and the last quotes hold the value.
fn row_value(text: &str) -> Identity {
    if !text.ends_with(|c: char| c.is_ascii_digit()) {
        return Identity::default();
    }
    let Some(close) = text.rfind(['`', '\'']) else {
        return Identity::default();
    };
    if text[close..].starts_with('\'') {
        return Identity::column(last_quoted(text));
    }
    let Some((head, column)) = text[..close].rsplit_once('`') else {
        return Identity::default();
    };
    let table = head
        .strip_suffix("`.")
        .and_then(|head| head.rsplit_once('`'))
        .map(|(_, table)| table.to_owned());
    Identity {
        table,
        ..Identity::column(Some(column))
    }
}

/// The parts of `'...'`, from the left.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').skip(1).step_by(2)
}

/// What the last pair of quotes holds.
fn last_quoted(text: &str) -> Option<&str> {
    let (head, _) = text.rsplit_once('\'')?;
    Some(head.rsplit_once('\'')?.1)
}

/// From the first quote to the last: the one name of a text that quotes nothing else.
fn outer_quoted(text: &str) -> Option<&str> {
    Some(text.split_once('\'')?.1.rsplit_once('\'')?.0)
}

/// What the last pair of backquotes holds.
fn last_backquoted(text: &str) -> Option<&str> {
    let (head, _) = text.rsplit_once('`')?;
    Some(head.rsplit_once('`')?.1)
}

/// `db.table` without the database.
fn last_part(path: &str) -> &str {
    path.split_once('.').map_or(path, |(_, name)| name)
}

/// An identifier in backquotes at the beginning, doubled ones undone, and what follows it.
fn backquoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('`')?;
    let mut from = 0;
    while let Some(at) = text[from..].find('`').map(|at| from + at) {
        if !text[at + 1..].starts_with('`') {
            return Some((text[..at].replace("``", "`"), &text[at + 1..]));
        }
        from = at + 2;
    }
    None
}

/// The last two names of `` `a`.`b`.`c` `` at the beginning, and what follows them.
fn path(text: &str) -> (Option<String>, Option<String>, &str) {
    let (mut qualifier, mut last, mut rest) = (None, None, text);
    while let Some((name, tail)) = backquoted(rest) {
        qualifier = last.replace(name);
        match tail.strip_prefix('.') {
            Some(more) => rest = more,
            None => return (qualifier, last, tail),
        }
    }
    (qualifier, last, rest)
}
