//! The first word of each statement in a text: enough to see transaction control, implicit
//! commits and reads.

use sea_orm::DbBackend;

/// The first two words of each statement, as written. Comments, quoted text and dollar quotes
/// are skipped; the body of a routine or trigger is not looked into.
fn statements(sql: &str, escapes: bool) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        rest = skip_blank(rest);
        if rest.is_empty() {
            return None;
        }
        let (first, after) = word(rest);
        let second = word(skip_blank(after)).0;
        let routine = first.eq_ignore_ascii_case("CREATE")
            && after.split_ascii_whitespace().take(6).any(|w| {
                ["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"]
                    .iter()
                    .any(|k| w.eq_ignore_ascii_case(k))
            });
        rest = if routine {
            ""
        } else {
            skip_statement(rest, escapes)
        };
        Some((first, second))
    })
}

fn word(text: &str) -> (&str, &str) {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let ascii = text.bytes().take_while(plain).count();
    let rest = &text[ascii..];
    if rest.as_bytes().first().is_none_or(u8::is_ascii) {
        return (&text[..ascii], rest);
    }
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    text.split_at(ascii + end)
}

/// Skips white space, comments and empty statements.
fn skip_blank(mut text: &str) -> &str {
    loop {
        let trimmed = text.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        let next = if trimmed.starts_with("--") || trimmed.starts_with('#') {
            trimmed.find('\n').map_or("", |i| &trimmed[i..])
        } else if trimmed.starts_with("/*") && !trimmed.starts_with("/*!") {
            trimmed.find("*/").map_or("", |i| &trimmed[i + 2..])
        } else if let Some(executable) = trimmed.strip_prefix("/*!") {
            // MySQL runs what such a comment holds.
            executable.trim_start_matches(|c: char| c.is_ascii_digit() || c == 'M')
        } else {
            return trimmed;
        };
        text = next;
    }
}

/// What follows the statement's semicolon.
fn skip_statement(mut text: &str, escapes: bool) -> &str {
    // Most texts are one statement.
    if !text.contains(';') {
        return "";
    }
    loop {
        let special = |c: char| matches!(c, ';' | '\'' | '"' | '`' | '-' | '/' | '$');
        let Some(at) = text.find(special) else {
            return "";
        };
        let rest = &text[at..];
        let end = match rest.as_bytes()[0] {
            b';' => return &rest[1..],
            quote @ (b'\'' | b'"' | b'`') => quoted(rest, quote, escapes),
            b'-' if rest.starts_with("--") => rest.find('\n'),
            b'/' if rest.starts_with("/*") => rest.find("*/").map(|end| end + 2),
            b'$' => dollar_quote(rest).or(Some(1)),
            _ => Some(1),
        };
        match end {
            Some(end) => text = &rest[end..],
            None => return "",
        }
    }
}

/// The length of a quoted text. On MySQL a backslash escapes the next character.
fn quoted(text: &str, quote: u8, escapes: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            b if b == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// The length of a dollar-quoted string at the start of `text`.
fn dollar_quote(text: &str) -> Option<usize> {
    let tag_end = text[1..].find('$')? + 2;
    let tag = &text[..tag_end];
    let named = tag[1..tag_end - 1]
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_');
    if !named || tag[1..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(text[tag_end..].find(tag)? + 2 * tag_end)
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|k| word.eq_ignore_ascii_case(k))
}

/// Whether a text is one statement that reads or changes rows, as most are, at the first glance:
/// nothing that is refused, may commit or changes the schema.
pub(crate) fn is_plain(sql: &str) -> bool {
    const PLAIN: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];
    is_one_of(word(sql).0, PLAIN) && !sql.contains(';')
}

/// Why a text must not be sent inside a scope, or `None` if it may.
pub(crate) fn refusal(sql: &str, backend: DbBackend) -> Option<&'static str> {
    const CONTROL: &[&str] = &[
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "SAVEPOINT",
        "RELEASE",
    ];
    // "Statements That Cause an Implicit Commit", MySQL reference manual.
    const IMPLICIT: &[&str] = &[
        "ALTER",
        "CREATE",
        "DROP",
        "TRUNCATE",
        "RENAME",
        "GRANT",
        "REVOKE",
        "LOCK",
        "UNLOCK",
        "ANALYZE",
        "CHECK",
        "OPTIMIZE",
        "REPAIR",
        "FLUSH",
        "INSTALL",
        "UNINSTALL",
        "RESET",
    ];
    statements(sql, backend == DbBackend::MySql).find_map(|(first, second)| {
        let prepared =
            first.eq_ignore_ascii_case("PREPARE") && second.eq_ignore_ascii_case("TRANSACTION");
        // XA transactions are MySQL's two-phase commit.
        if is_one_of(first, CONTROL) || prepared || first.eq_ignore_ascii_case("XA") {
            return Some(
                "transaction control was sent as a statement inside a transaction that the \
                 framework runs: leave it to the method, or use begin() for a savepoint",
            );
        }
        let temporary = second.eq_ignore_ascii_case("TEMPORARY");
        if backend == DbBackend::MySql && is_one_of(first, IMPLICIT) && !temporary {
            return Some(
                "MySQL commits the running transaction before this statement, so it cannot be \
                 undone with it: run it outside of resilient methods, or in one with \
                 propagation = \"not_supported\"",
            );
        }
        None
    })
}

/// Whether a text may commit the running transaction without saying so: a stored procedure of
/// MySQL's can, and so can what is executed from a variable.
pub(crate) fn may_commit(sql: &str, backend: DbBackend) -> bool {
    const CALLS: &[&str] = &["CALL", "EXECUTE"];
    backend == DbBackend::MySql && statements(sql, true).any(|(first, _)| is_one_of(first, CALLS))
}

/// Whether a text may change the constraints of a table. What a routine does inside is not seen.
pub(crate) fn changes_schema(sql: &str) -> bool {
    const DDL: &[&str] = &["ALTER", "CREATE", "DROP", "RENAME"];
    // Most texts are one statement, and need no more than a look at their first word.
    if is_one_of(word(skip_blank(sql)).0, DDL) {
        return true;
    }
    sql.contains(';') && statements(sql, true).any(|(first, _)| is_one_of(first, DDL))
}

/// Whether a text certainly only reads: no statement that could write, and no function but
/// those that are known not to.
pub(crate) fn only_reads(sql: &str) -> bool {
    const READS: &[&str] = &["SELECT", "SHOW", "VALUES", "TABLE", "DESCRIBE", "DESC"];
    statements(sql, false).all(|(first, _)| is_one_of(first, READS))
        && !words(sql).any(|(word, _)| word.eq_ignore_ascii_case("INTO"))
        && words(sql).all(|(word, called)| !called || is_one_of(word, HARMLESS))
}

/// Whether a text may take `SQLite`'s write lock.
pub(crate) fn takes_write_lock(sql: &str) -> bool {
    const DML: &[&str] = &["INSERT", "UPDATE", "DELETE", "REPLACE"];
    const DDL: &[&str] = &["CREATE", "DROP", "ALTER", "REINDEX", "VACUUM", "ANALYZE"];
    statements(sql, false).any(|(first, _)| {
        let with = first.eq_ignore_ascii_case("WITH");
        is_one_of(first, DML)
            || is_one_of(first, DDL)
            || (with && words(sql).any(|(word, _)| is_one_of(word, DML)))
    })
}

/// What may stand before a parenthesis in a statement that only reads.
const HARMLESS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "AVG",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COALESCE",
    "COUNT",
    "DISTINCT",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "FROM",
    "HAVING",
    "IN",
    "INTERSECT",
    "JOIN",
    "LENGTH",
    "LIKE",
    "LIMIT",
    "LOWER",
    "MAX",
    "MIN",
    "NOT",
    "OFFSET",
    "ON",
    "OR",
    "SELECT",
    "SOME",
    "SUM",
    "THEN",
    "UNION",
    "UPPER",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
];

/// Every word, and whether a parenthesis follows it.
fn words(sql: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        let start = rest.find(|c: char| c.is_alphabetic() || c == '_')?;
        let (found, after) = word(&rest[start..]);
        rest = after;
        // A quoted name can be called as well.
        let next = after.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '`'));
        Some((found, next.starts_with('(')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sql: &str, backend: DbBackend) -> bool {
        refusal(sql, backend).is_some()
    }

    #[test]
    fn plain_statements_are_nothing_that_is_looked_for() {
        for sql in ["SELECT 1", "update t set a = 1", "INSERT INTO t VALUES (1)"] {
            assert!(is_plain(sql), "{sql}");
        }
        for sql in [
            "",
            " SELECT 1",
            "/*!50000 COMMIT */",
            "SELECT 1; COMMIT",
            "DROP TABLE t",
            "CALL store()",
            "SELECTED",
            "COMMIT",
        ] {
            assert!(!is_plain(sql), "{sql}");
        }
    }

    #[test]
    fn transaction_control_is_found_wherever_it_stands() {
        for sql in [
            "commit",
            "  /* x */ ROLLBACK",
            "-- note\nBEGIN",
            "update t set a = 1; COMMIT",
            "select 'a;b'; savepoint x",
            "select $$ ; $$; release x",
            "select \"a\"\"b;\" ; end",
            "PREPARE TRANSACTION 'x'",
            "/*!50000 COMMIT */",
        ] {
            assert!(refused(sql, DbBackend::Postgres), "{sql}");
        }
    }

    #[test]
    fn data_that_looks_like_control_is_let_through() {
        for sql in [
            "insert into t values ('; COMMIT; ')",
            "select $tag$ ; commit $tag$, $1",
            "update t set a = '--'; select 1",
            "create trigger x before insert on t begin select 1; end",
            "prepare s as select 1",
            "select committed from begin_dates",
            "",
        ] {
            assert!(!refused(sql, DbBackend::Postgres), "{sql}");
        }
    }

    #[test]
    fn a_long_statement_needs_no_long_stack() {
        let values = vec!["('it''s', \"q\")"; 50_000].join(", ");
        assert!(!refused(
            &format!("INSERT INTO t VALUES {values}"),
            DbBackend::Sqlite
        ));
        assert!(refused(
            &format!("INSERT INTO t VALUES {values}; COMMIT"),
            DbBackend::Sqlite
        ));
    }

    #[test]
    fn an_escaped_quote_does_not_end_its_text() {
        assert!(!refused(
            r"update t set a = 'don\'t stop; start again'",
            DbBackend::MySql
        ));
    }

    #[test]
    fn implicit_commits_are_refused_on_mysql_only() {
        assert!(refused("create table t (a int)", DbBackend::MySql));
        assert!(!refused(
            "create temporary table t (a int)",
            DbBackend::MySql
        ));
        assert!(!refused("create table t (a int)", DbBackend::Sqlite));
    }

    #[test]
    fn routines_may_commit_on_mysql_only() {
        assert!(may_commit("call store()", DbBackend::MySql));
        assert!(may_commit("SELECT 1; EXECUTE s", DbBackend::MySql));
        assert!(!may_commit(
            "INSERT INTO t VALUES ('CALL')",
            DbBackend::MySql
        ));
        assert!(!may_commit("CALL store()", DbBackend::Postgres));
    }

    #[test]
    fn what_takes_the_write_lock_is_known() {
        for sql in [
            "insert into t values (1)",
            "PRAGMA busy_timeout = 1; DELETE FROM t",
            "with x as (select 1) update t set a = 1",
            "VACUUM",
            "create table t (a int)",
        ] {
            assert!(takes_write_lock(sql), "{sql}");
        }
        for sql in [
            "select 'delete'",
            "PRAGMA journal_mode",
            "with x as (select 1) select * from x",
            "explain insert into t values (1)",
            "",
        ] {
            assert!(!takes_write_lock(sql), "{sql}");
        }
    }

    #[test]
    fn reads_are_told_from_writes() {
        assert!(only_reads("select 1; SHOW tables"));
        assert!(!only_reads("select 1; delete from t"));
        assert!(!only_reads(
            "with x as (delete from t returning 1) select 1"
        ));
        assert!(!only_reads("explain analyze delete from t"));
        assert!(!only_reads("explain (analyze) update t set a = 1"));
        assert!(!only_reads("select bump()"));
        assert!(!only_reads("select \"bump\"()"));
        assert!(!only_reads("select * into u from t"));
        assert!(only_reads("SELECT COUNT(*) FROM t WHERE id IN (1, 2)"));
    }
}
