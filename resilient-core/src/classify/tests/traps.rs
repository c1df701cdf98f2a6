//! One test for each trap: errors that a plain table of codes gets wrong.

mod mysql;
mod postgres;
mod sqlite;

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
