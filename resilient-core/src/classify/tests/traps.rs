//! One test for each trap: errors that a plain table of codes gets wrong.

use super::*;
use crate::fault::Fault;
use FaultKind as K;

fn pg<'a>(code: &'a str, severity: &'a str, message: &'a str) -> ErrorReport<'a> {
    ErrorReport::new(Backend::Postgres, code, message).severity(severity)
}

fn my<'a>(code: &'a str, message: &'a str) -> ErrorReport<'a> {
    ErrorReport::new(Backend::MySql, code, message)
}

fn lite<'a>(code: &'a str, message: &'a str) -> ErrorReport<'a> {
    ErrorReport::new(Backend::Sqlite, code, message)
}

#[track_caller]
fn is(report: ErrorReport<'_>, kind: FaultKind, effect: Effect) -> Fault {
    let fault = report.classify();
    assert_eq!((fault.kind(), fault.effect()), (kind, effect), "{report:?}");
    fault
}

#[track_caller]
fn names(report: ErrorReport<'_>, constraint: Option<&str>, table: Option<&str>, columns: &[&str]) {
    let fault = report.classify();
    assert_eq!(fault.constraint(), constraint, "{report:?}");
    assert_eq!(fault.table(), table, "{report:?}");
    assert_eq!(fault.columns(), columns, "{report:?}");
}

// PostgreSQL

#[test]
fn class_08_with_severity_error_is_about_another_connection() {
    is(
        pg("08001", "ERROR", "could not establish connection"),
        K::Other,
        Effect::Aborted,
    );
    is(
        pg("08006", "ERROR", "server closed the connection"),
        K::Other,
        Effect::Aborted,
    );
    is(
        pg("08006", "FATAL", "connection lost"),
        K::ConnectionLost,
        Effect::Connection,
    );
}

#[test]
fn fatal_serialization_failure_needs_a_new_connection() {
    is(
        pg("40001", "FATAL", "conflict with recovery"),
        K::SerializationFailure,
        Effect::Connection,
    );
    is(
        pg("40001", "ERROR", "conflict with recovery"),
        K::SerializationFailure,
        Effect::Aborted,
    );
}

#[test]
fn timeouts_and_cancels_share_57014() {
    for text in [
        "canceling statement due to statement timeout",
        "annulation de la requête",
    ] {
        is(
            pg("57014", "ERROR", text),
            K::StatementTimeout,
            Effect::Aborted,
        );
    }
    let login = pg("57014", "FATAL", "canceling authentication due to timeout");
    is(
        login.phase(Phase::Connect),
        K::ServerUnavailable,
        Effect::Connection,
    );
}

#[test]
fn partition_routing_and_domains_have_fewer_names() {
    let routing = pg(
        "23514",
        "ERROR",
        "no partition of relation \"p\" found for row",
    );
    names(routing.table("p"), None, Some("p"), &[]);
    names(
        pg("23514", "ERROR", "value for domain d").constraint("c"),
        Some("c"),
        None,
        &[],
    );
}

#[test]
fn detail_may_be_missing_localized_or_hostile() {
    let unique = pg("23505", "ERROR", "x").constraint("uq").table("t");
    names(unique, Some("uq"), Some("t"), &[]);
    names(
        unique.detail("Schlüssel »(a, \"b c\")=(1)« existiert."),
        Some("uq"),
        Some("t"),
        &["a", "b c"],
    );
    names(
        unique.detail("Key (a)=(x)=(y)=(z) already exists."),
        Some("uq"),
        Some("t"),
        &["a"],
    );
    names(
        unique.detail("Key (lower(a), ((d ->> ')=('::text)))=(1, 2) already exists."),
        Some("uq"),
        Some("t"),
        &["lower(a)", "((d ->> ')=('::text))"],
    );
    names(
        unique.detail("Key (\"a\" || \"b\")=(1) exists"),
        Some("uq"),
        Some("t"),
        &["\"a\" || \"b\""],
    );
    names(
        unique.detail("no parentheses that close ("),
        Some("uq"),
        Some("t"),
        &[],
    );
    // A foreign key's columns are printed without quotes.
    let foreign = pg("23503", "ERROR", "x").constraint("fk").table("t");
    names(
        foreign.detail("Key (q\"x, na,me)=(1, 2) is not present"),
        Some("fk"),
        Some("t"),
        &["q\"x", "na,me"],
    );
    names(
        foreign.detail("テーブル\"p\"にキー(user_id)=(99)がありません"),
        Some("fk"),
        Some("t"),
        &["user_id"],
    );
}

#[test]
fn texts_that_mention_unique_constraints() {
    let text = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
    is(pg("42P10", "ERROR", text), K::Syntax, Effect::Aborted);
    let text = "there is no unique constraint matching given keys for referenced table \"p\"";
    is(pg("42830", "ERROR", text), K::Syntax, Effect::Aborted);
}

#[test]
fn catalogue_races_and_raise_are_23505_too() {
    let race = pg("23505", "ERROR", "x")
        .constraint("pg_type_typname_nsp_index")
        .table("pg_type");
    is(race, K::Unique, Effect::Aborted);
    let raised = pg("23505", "ERROR", "Email taken")
        .routine("exec_stmt_raise")
        .constraint("users_email_key")
        .detail("Key (id)=(1) already exists.");
    is(raised, K::Unique, Effect::Aborted);
    names(raised, Some("users_email_key"), None, &[]);
}

#[test]
fn internal_errors_that_a_retry_heals() {
    for text in ["tuple concurrently updated", "tuple concurrently deleted"] {
        is(
            pg("XX000", "ERROR", text),
            K::SerializationFailure,
            Effect::Aborted,
        );
    }
    is(
        pg("XX000", "ERROR", "cache lookup failed for type 1"),
        K::Internal,
        Effect::Aborted,
    );
    let redshift = "1023 DETAIL: Serializable isolation violation on table - 1";
    for report in [
        pg("XX000", "ERROR", redshift),
        pg("XX000", "ERROR", redshift).engine(Engine::Redshift),
    ] {
        is(report, K::SerializationFailure, Effect::Aborted);
    }
    is(
        pg("XX000", "ERROR", redshift).engine(Engine::PostgreSql),
        K::Internal,
        Effect::Aborted,
    );
}

#[test]
fn pgbouncer_says_nearly_everything_with_08p01() {
    for (text, kind) in [
        ("query_wait_timeout", K::TooManyConnections),
        (
            "no more connections allowed (max_client_conn)",
            K::TooManyConnections,
        ),
        ("server conn crashed?", K::ConnectionLost),
        ("idle transaction timeout", K::SessionExpired),
        ("query timeout", K::StatementTimeout),
        ("no such user", K::Authentication),
        (
            "no such database: idle transaction timeout",
            K::UndefinedObject,
        ),
        (
            "server login has been failing, cached error: password authentication failed",
            K::ServerUnavailable,
        ),
    ] {
        is(
            pg("08P01", "FATAL", text).engine(Engine::PgBouncer),
            kind,
            Effect::Connection,
        );
        is(pg("08P01", "FATAL", text), kind, Effect::Connection);
        // PostgreSQL names its routine.
        is(
            pg("08P01", "FATAL", text).routine("ProcessStartupPacket"),
            K::Internal,
            Effect::Connection,
        );
    }
    let crash = pg("08P01", "FATAL", "server conn crashed?").engine(Engine::PgBouncer);
    is(
        crash.phase(Phase::Commit),
        K::CommitUnknown,
        Effect::Unknown,
    );
    is(
        pg("08P01", "ERROR", "bind message supplies 2 parameters"),
        K::Internal,
        Effect::Aborted,
    );
}

#[test]
fn a_cached_plan_is_known_by_its_routine_in_any_language() {
    let plan = pg(
        "0A000",
        "ERROR",
        "gecachter Plan darf den Ergebnistyp nicht ändern",
    );
    is(
        plan.routine("RevalidateCachedQuery"),
        K::StalePlan,
        Effect::Aborted,
    );
    is(plan.routine("transformSubLink"), K::Other, Effect::Aborted);
}

#[test]
fn cockroach_may_have_committed() {
    is(
        pg(
            "XXA00",
            "ERROR",
            "transaction committed but schema change aborted",
        ),
        K::CommitUnknown,
        Effect::Unknown,
    );
    is(
        pg("40003", "ERROR", "result is ambiguous"),
        K::CommitUnknown,
        Effect::Unknown,
    );
}

#[test]
fn what_commit_answers() {
    let commit = |code, severity| pg(code, severity, "x").phase(Phase::Commit);
    is(
        commit("40001", "ERROR"),
        K::SerializationFailure,
        Effect::Transaction,
    );
    is(commit("23503", "ERROR"), K::ForeignKey, Effect::Transaction);
    is(commit("57P01", "FATAL"), K::CommitUnknown, Effect::Unknown);
    is(
        commit("57P01", "WARNING"),
        K::CommitUnknown,
        Effect::Unknown,
    );
    is(commit("53100", "PANIC"), K::CommitUnknown, Effect::Unknown);
    // A warning of COMMIT is no failure.
    is(commit("01000", "WARNING"), K::Other, Effect::Statement);
    // No severity, or one that is localized.
    is(
        ErrorReport::new(Backend::Postgres, "57P01", "x"),
        K::ConnectionLost,
        Effect::Connection,
    );
    is(
        pg("40P01", "FEHLER", "Verklemmung"),
        K::Deadlock,
        Effect::Aborted,
    );
}

// MySQL and MariaDB

#[test]
fn the_last_for_key_wins() {
    let text = "Duplicate entry 'a' for key 'PRIMARY' for key 'users.email'";
    names(my("1062", text), Some("email"), Some("users"), &[]);
    let text = "Doppelter Eintrag 'a' for key 'PRIMARY' für Schlüssel 'users.email'";
    names(my("1062", text), Some("email"), Some("users"), &[]);
    // An index whose name has a quote in it; an ancient key number; a text from SIGNAL.
    names(
        my("1062", "Duplicate entry 'x' for key 't.o'brien'"),
        Some("o'brien"),
        Some("t"),
        &[],
    );
    names(
        my("1062", "Duplicate entry 'x' for key 'PRIMARY' for key 2"),
        None,
        None,
        &[],
    );
    names(my("1062", "Email taken"), None, None, &[]);
}

#[test]
fn index_names_with_dots() {
    let report = my("1062", "Duplicate entry '7' for key 'a.a.idx'");
    names(report.engine(Engine::MySql), Some("a.idx"), Some("a"), &[]);
    names(report.engine(Engine::MariaDb), Some("a.a.idx"), None, &[]);
    let report = my("1062", "Duplicate entry '7' for key 'my.table.email'");
    names(
        report.table("my.table"),
        Some("email"),
        Some("my.table"),
        &[],
    );
}

#[test]
fn numbers_4025_and_4031_mean_two_things() {
    let check = my("4025", "CONSTRAINT `age_pos` failed for `app`.`users`");
    for report in [
        check,
        check.sqlstate("23000"),
        check.engine(Engine::MariaDb),
    ] {
        is(report, K::Check, Effect::Statement);
    }
    is(
        my("4025", "x").engine(Engine::MySql),
        K::Other,
        Effect::Statement,
    );
    is(
        my("4025", "x").sqlstate("HY000"),
        K::Other,
        Effect::Statement,
    );
    is(my("4031", "x"), K::SessionExpired, Effect::Connection);
    is(
        my("4031", "x").engine(Engine::MySql),
        K::SessionExpired,
        Effect::Connection,
    );
    is(
        my("4031", "x").engine(Engine::MariaDb),
        K::UndefinedObject,
        Effect::Statement,
    );
}

#[test]
fn number_1290_depends_on_the_option() {
    for (text, kind) in [
        (
            "running with the --read-only option so it cannot",
            K::ReadOnly,
        ),
        (
            "Der MariaDB-Server läuft mit der Option --read-only und kann",
            K::ReadOnly,
        ),
        ("MariaDB服务器使用--super_read_only选项运行", K::ReadOnly),
        (
            "running with the --secure-file-priv option so it cannot",
            K::Permission,
        ),
        (
            "running with the --skip-grant-tables option so it cannot",
            K::Permission,
        ),
    ] {
        is(my("1290", text), kind, Effect::Statement);
    }
}

#[test]
fn number_1047_is_galera_or_an_unknown_command() {
    let text = "WSREP has not yet prepared node for application use";
    is(my("1047", text), K::ServerUnavailable, Effect::Statement);
    is(
        my("1047", "Unknown command"),
        K::Internal,
        Effect::Statement,
    );
    is(
        my("1047", "Commande inconnue").engine(Engine::Galera),
        K::ServerUnavailable,
        Effect::Statement,
    );
}

#[test]
fn sqlstates_mislead() {
    is(
        my("1052", "ambiguous").sqlstate("23000"),
        K::Syntax,
        Effect::Statement,
    );
    is(
        my("1265", "truncated").sqlstate("01000"),
        K::InvalidValue,
        Effect::Statement,
    );
    is(
        my("1927", "killed").sqlstate("70100"),
        K::ConnectionLost,
        Effect::Connection,
    );
    // SIGNAL with MYSQL_ERRNO = 1451: the number counts, and nothing is named.
    let signal = my("1451", "users are kept for a year").sqlstate("45000");
    is(signal, K::ForeignKey, Effect::Statement);
    names(signal, None, None, &[]);
}

#[test]
fn inner_numbers_decide_1180_and_1030() {
    let commit = |text| my("1180", text).phase(Phase::Commit);
    is(
        commit("Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT"),
        K::SerializationFailure,
        Effect::Transaction,
    );
    is(
        commit("Modtog fejl 28 mens kommandoen COMMIT blev udført"),
        K::DiskFull,
        Effect::Unknown,
    );
    is(
        commit("Got error 5 - 'Input/output error' during COMMIT"),
        K::CommitUnknown,
        Effect::Unknown,
    );
    is(
        commit("wsrep_max_ws_size exceeded"),
        K::ResourceExhausted,
        Effect::Transaction,
    );
    is(
        my("1030", "Got error 28 from storage engine"),
        K::DiskFull,
        Effect::Statement,
    );
    is(
        my("1030", "Got error 149 from storage engine"),
        K::Deadlock,
        Effect::Transaction,
    );
    is(
        my("1030", "Got error 168 from storage engine"),
        K::Internal,
        Effect::Statement,
    );
    is(
        my(
            "3",
            "Error writing file '/tmp/Errcode: 1' (Errcode: 28 \"No space left\")",
        ),
        K::DiskFull,
        Effect::Statement,
    );
}

#[test]
fn what_is_left_after_lock_errors() {
    is(
        my("1213", "Deadlock found"),
        K::Deadlock,
        Effect::Transaction,
    );
    is(
        my("1205", "Lock wait timeout"),
        K::LockTimeout,
        Effect::Statement,
    );
    is(
        my("1205", "x").transaction_open(false),
        K::LockTimeout,
        Effect::Transaction,
    );
    is(
        my("1205", "x").phase(Phase::Commit),
        K::LockTimeout,
        Effect::Transaction,
    );
    is(
        my("1020", "Record has changed").engine(Engine::MariaDb),
        K::SerializationFailure,
        Effect::Transaction,
    );
    is(
        my("1020", "Record has changed").engine(Engine::MySql),
        K::SerializationFailure,
        Effect::Statement,
    );
    is(
        my("2013", "Lost connection").phase(Phase::Commit),
        K::CommitUnknown,
        Effect::Unknown,
    );
}

// SQLite

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

// Clients

#[test]
fn errors_without_a_code() {
    let client = |error| ErrorReport::client(Backend::MySql, error, "x");
    is(
        client(ClientError::Closed),
        K::ConnectionLost,
        Effect::Connection,
    );
    is(
        client(ClientError::Closed).phase(Phase::Commit),
        K::CommitUnknown,
        Effect::Unknown,
    );
    is(
        client(ClientError::TimedOut).phase(Phase::Connect),
        K::ServerUnavailable,
        Effect::Connection,
    );
    is(
        client(ClientError::PoolTimedOut).phase(Phase::Commit),
        K::PoolTimeout,
        Effect::Statement,
    );
    is(client(ClientError::Driver), K::Other, Effect::Statement);
    is(
        client(std::io::ErrorKind::ConnectionRefused.into()),
        K::ServerUnavailable,
        Effect::Connection,
    );
    is(
        client(std::io::ErrorKind::UnexpectedEof.into()),
        K::ConnectionLost,
        Effect::Connection,
    );
}

#[test]
fn names_are_the_documented_ones() {
    for (engine, text) in [
        (Engine::PostgreSql, "postgresql"),
        (Engine::CockroachDb, "cockroach"),
        (Engine::YugabyteDb, "yugabyte"),
        (Engine::Aurora, "aurora"),
        (Engine::Redshift, "redshift"),
        (Engine::PgBouncer, "pgbouncer"),
        (Engine::MariaDb, "mariadb"),
        (Engine::MySql, "mysql"),
        (Engine::TiDb, "tidb"),
        (Engine::Galera, "galera"),
        (Engine::Sqlite, "sqlite"),
    ] {
        assert_eq!(engine.to_string(), text);
        assert_eq!(text.parse(), Ok(engine));
        assert_eq!(serde_json::to_value(engine).expect("a name"), text);
    }
    for (backend, text) in [
        (Backend::Postgres, "postgres"),
        (Backend::MySql, "mysql"),
        (Backend::Sqlite, "sqlite"),
    ] {
        assert_eq!(backend.to_string(), text);
        assert_eq!(text.parse(), Ok(backend));
    }
    for phase in Phase::VARIANTS {
        assert_eq!(phase.to_string().parse(), Ok(*phase));
    }
}
