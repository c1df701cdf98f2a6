//! `SQLite`.

use super::*;

#[test]
fn what_ends_a_sqlite_transaction() {
    is(
        lite("13", "database or disk is full"),
        K::DiskFull,
        Effect::Transaction,
    );
    is(
        lite("9", "interrupted"),
        K::StatementTimeout,
        Effect::Transaction,
    );
    is(
        lite("9", "interrupted").transaction_open(true),
        K::StatementTimeout,
        Effect::Statement,
    );
    is(
        lite("778", "disk I/O error"),
        K::Internal,
        Effect::Transaction,
    );
    is(
        lite("1811", "no").transaction_open(false),
        K::Other,
        Effect::Transaction,
    );
    is(
        lite("516", "abort due to ROLLBACK"),
        K::Other,
        Effect::Transaction,
    );
}

#[test]
fn busy_at_commit_leaves_the_transaction_open() {
    is(
        lite("5", "database is locked").phase(Phase::Commit),
        K::LockTimeout,
        Effect::Statement,
    );
    is(
        lite("787", "FOREIGN KEY constraint failed").phase(Phase::Commit),
        K::ForeignKey,
        Effect::Statement,
    );
    let gone = lite("1", "cannot commit - no transaction is active").phase(Phase::Commit);
    is(gone, K::PendingRollback, Effect::Transaction);
}

#[test]
fn busy_snapshot_is_no_wait() {
    is(
        lite("517", "database is locked"),
        K::SerializationFailure,
        Effect::Statement,
    );
    is(
        lite("261", "database is locked"),
        K::LockTimeout,
        Effect::Statement,
    );
}

#[test]
fn unusual_constraint_codes() {
    is(
        lite("1811", "FOREIGN KEY constraint failed"),
        K::ForeignKey,
        Effect::Statement,
    );
    is(
        lite("1811", "UNIQUE constraint failed: t.a"),
        K::Other,
        Effect::Statement,
    );
    names(
        lite("1811", "UNIQUE constraint failed: t.a"),
        None,
        None,
        &[],
    );
    is(
        lite("2579", "UNIQUE constraint failed: t.rowid"),
        K::Unique,
        Effect::Statement,
    );
    is(
        lite("3091", "cannot store TEXT value in INT column st.a"),
        K::InvalidValue,
        Effect::Statement,
    );
    is(lite("19", "constraint failed"), K::Other, Effect::Statement);
    is(
        lite("19", "NOT NULL constraint failed: t.a"),
        K::NotNull,
        Effect::Statement,
    );
    // A code that no version has yet keeps its primary meaning.
    is(
        lite("65285", "database is locked"),
        K::LockTimeout,
        Effect::Statement,
    );
}

#[test]
fn quotes_dots_and_commas_in_sqlite_names() {
    let unique = |text| lite("2067", text);
    names(
        unique("UNIQUE constraint failed: index 'idx ''q'''"),
        Some("idx 'q'"),
        None,
        &[],
    );
    names(
        unique("UNIQUE constraint failed: we ird.t.na,me"),
        None,
        Some("we ird.t"),
        &["na,me"],
    );
    names(
        unique("UNIQUE constraint failed: t.na, me"),
        None,
        Some("t"),
        &["na, me"],
    );
    names(
        unique("UNIQUE constraint failed: q.a.b, q.c"),
        None,
        Some("q"),
        &["a.b", "c"],
    );
    names(
        unique("UNIQUE constraint failed: q.a.b").table("q"),
        None,
        Some("q"),
        &["a.b"],
    );
    names(
        unique("constraint failed: UNIQUE constraint failed: users.email (2067)"),
        None,
        Some("users"),
        &["email"],
    );
    names(
        lite("275", "CHECK constraint failed: a in ('x', 'y')"),
        Some("a in ('x', 'y')"),
        None,
        &[],
    );
}
