//! Which texts commit.

/// Whether one of the statements in this text is a COMMIT, alone or with words after it.
pub fn is_commit(sql: &str) -> bool {
    has(sql, |words| words.0 == "COMMIT")
}

/// Whether one of the statements in this text begins a transaction.
pub(super) fn is_begin(sql: &str) -> bool {
    has(sql, |words| {
        matches!(words.0, "BEGIN") || words == ("START", "TRANSACTION")
    })
}

/// Whether one of the statements in this text ends a transaction.
pub(super) fn is_end(sql: &str) -> bool {
    has(sql, |words| match words {
        ("ROLLBACK", next) => next != "TO",
        (first, _) => first == "COMMIT",
    })
}

fn has(sql: &str, is: impl Fn((&str, &str)) -> bool) -> bool {
    statements(sql).iter().any(|statement| {
        let statement = statement.to_ascii_uppercase();
        let mut words = statement.split_whitespace();
        is((words.next().unwrap_or(""), words.next().unwrap_or("")))
    })
}

/// The statements of a text, without comments. What a text quotes stays in its statement.
fn statements(sql: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let mut rest = sql;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '\'' | '"' | '`' => 1 + quoted(&rest[1..], next),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => 0,
        };
        if skipped > 0 {
            push(&mut statements, ' ');
            rest = &rest[skipped..];
            continue;
        }
        if next == ';' {
            statements.push(String::new());
        } else {
            push(&mut statements, next);
        }
        rest = &rest[next.len_utf8()..];
    }
    statements
}

/// How much of this text belongs to what was quoted before it, with the closing quote.
fn quoted(rest: &str, quote: char) -> usize {
    rest.find(quote).map_or(rest.len(), |end| end + 1)
}

fn push(statements: &mut [String], next: char) {
    if let Some(last) = statements.last_mut() {
        last.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::{is_begin, is_commit, is_end};

    #[test]
    fn a_commit_is_found_among_other_statements() {
        for sql in [
            "COMMIT",
            " commit ; ",
            "COMMIT AND CHAIN",
            "SELECT 1;COMMIT",
            "COMMIT;SELECT 1",
            "RELEASE SAVEPOINT a;COMMIT",
            "SET @a=0/*M!100100 ,@b=@a*/;RELEASE SAVEPOINT a;COMMIT",
            "/* why; */ COMMIT",
            "-- first;\nCOMMIT",
            "SELECT 'it''s; fine';COMMIT",
        ] {
            assert!(is_commit(sql), "{sql}");
        }
    }

    #[test]
    fn other_texts_do_not_commit() {
        for sql in [
            "",
            "ROLLBACK",
            "SELECT 1 -- ;COMMIT",
            "SELECT '; COMMIT;'",
            "SELECT \"; COMMIT;\", `;COMMIT;` /*;COMMIT;*/",
            "INSERT INTO commit VALUES (1)",
            "SELECT commit FROM t",
            "COMMITTED",
        ] {
            assert!(!is_commit(sql), "{sql}");
        }
    }

    #[test]
    fn a_transaction_has_a_beginning_and_an_end() {
        assert!(is_begin("BEGIN ISOLATION LEVEL SERIALIZABLE;SAVEPOINT a"));
        assert!(is_begin("SET TRANSACTION READ ONLY;start  transaction"));
        assert!(!is_begin("SET TRANSACTION READ ONLY"));
        assert!(is_end("ROLLBACK TO SAVEPOINT a;ROLLBACK"));
        assert!(is_end("RELEASE SAVEPOINT a;COMMIT"));
        assert!(!is_end("ROLLBACK TO SAVEPOINT a"));
    }
}
