//! The table of SQLSTATEs: `PostgreSQL`'s Appendix A, and the codes that `CockroachDB`,
//! `YugabyteDB`, Redshift and `PgBouncer` add or use in their own way.

use super::identity::{self, Identity};
use super::{Engine, ErrorReport, Phase, Verdict};
use crate::fault::{Effect, FaultKind as K};

/// Kind and effect.
pub(super) fn verdict(report: &ErrorReport<'_>) -> Verdict {
    let kind = kind(report);
    if kind == K::CommitUnknown {
        return Verdict::COMMIT_UNKNOWN;
    }
    let (class, _) = split(report.code);
    let notice = matches!(class, "00" | "01" | "02");
    let ended = report.phase == Phase::Connect
        || match report.severity {
            Some("FATAL" | "PANIC") => true,
            Some("ERROR") => false,
            // A parting WARNING, no severity, or one in the server's language.
            _ => ends_session(report.code),
        };
    let effect = match (ended, report.phase) {
        _ if notice => Effect::Statement,
        // The server itself decided against the transaction before it hung up.
        (true, Phase::Commit) if matches!(kind, K::SerializationFailure | K::Deadlock) => {
            Effect::Connection
        }
        (true, Phase::Commit) => return Verdict::COMMIT_UNKNOWN,
        (true, _) => Effect::Connection,
        (false, _) if matches!(report.severity, Some("WARNING" | "NOTICE" | "INFO" | "LOG")) => {
            Effect::Statement
        }
        (false, Phase::Commit) => Effect::Transaction,
        (false, _) if rolled_back(report) => Effect::Transaction,
        (false, _) => Effect::Aborted,
    };
    Verdict::new(kind, effect)
}

/// Constraint, table and columns; nothing for the errors that violate no constraint.
pub(super) fn identity(report: &ErrorReport<'_>) -> Identity {
    match report.code {
        "23001" | "23502" | "23503" | "23505" | "23P01" => identity::postgres(report),
        _ => Identity::default(),
    }
}

fn split(code: &str) -> (&str, &str) {
    code.split_at_checked(2).unwrap_or((code, ""))
}

/// Codes that end the session by themselves, for reports without a usable severity.
fn ends_session(code: &str) -> bool {
    matches!(split(code).0, "08" | "28")
        || matches!(
            code,
            "25P03" | "25P04" | "53300" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05"
        )
}

/// Codes that mean more than an aborted transaction: no savepoint is left to go back to.
fn rolled_back(report: &ErrorReport<'_>) -> bool {
    match report.code {
        "40000" | "40002" => true,
        // A distributed transaction whose heartbeat stopped is gone on every node.
        "40001" => {
            report.engine == Some(Engine::YugabyteDb)
                && report.message.starts_with("Operation expired")
        }
        _ => false,
    }
}

/// The table. Class first, then the rest of the code; a class's last line is its default.
#[expect(
    clippy::match_same_arms,
    reason = "a table in the order of the classes, with a reason on each line"
)]
fn kind(report: &ErrorReport<'_>) -> K {
    match split(report.code) {
        // 08: connection exceptions. With severity ERROR they are about somebody else's
        // connection (postgres_fdw, dblink); ours is alive.
        ("08", "007") => K::CommitUnknown, // transaction resolution unknown
        ("08", "P01") => protocol_violation(report),
        ("08", _) if report.phase == Phase::Connect => K::ServerUnavailable,
        ("08", _) if report.severity == Some("ERROR") => K::Other,
        ("08", "001" | "004") => K::ServerUnavailable, // cannot establish, refused
        ("08", _) => K::ConnectionLost,

        ("0A", _) => feature_not_supported(report),

        // 22: data exceptions.
        ("22", "001" | "026") => K::DataTooLong, // string truncation, bit length
        ("22", "003" | "00H") => K::NumericOutOfRange, // also: a sequence ran out
        ("22", _) => K::InvalidValue,

        // 23: integrity constraints.
        ("23", "001") => K::Restrict, // ON DELETE RESTRICT since PostgreSQL 18
        ("23", "502") => K::NotNull,
        ("23", "503") => K::ForeignKey,
        ("23", "505") => K::Unique,
        ("23", "514") => K::Check,
        ("23", "P01") => K::Exclusion,
        ("44", "000") => K::Check, // WITH CHECK OPTION of a view

        // 25: transaction states.
        ("25", "006") => K::ReadOnly,
        ("25", "P02") => K::PendingRollback,
        ("25", "P03" | "P04") => K::SessionExpired, // idle in transaction, transaction_timeout

        ("26", "000") => K::StalePlan, // no such prepared statement
        ("28", _) => K::Authentication,

        ("34", "000") => K::UndefinedObject, // no such cursor or portal
        ("3B", "001") => K::UndefinedObject, // no such savepoint
        ("3D" | "3F", "000") => K::UndefinedObject, // no such database, schema

        // 40: the transaction was rolled back.
        ("40", "000" | "001") => K::SerializationFailure,
        ("40", "003") => K::CommitUnknown, // statement completion unknown
        ("40", "P01") => K::Deadlock,
        ("40", _) => K::Other, // 40002 is a constraint: a retry changes nothing
        ("CR", "000") => K::SerializationFailure, // CockroachDB before it used 40001

        // 42: syntax errors and access rules.
        ("42", "501") => K::Permission,
        ("42", "P01" | "P02" | "703" | "704" | "883") => K::UndefinedObject,
        ("42", "P05") => K::StalePlan, // prepared statement exists: a pooler mixed sessions
        // Duplicate cursor, database, schema, table, column, object, alias, function.
        ("42", "P03" | "P04" | "P06" | "P07" | "701" | "710" | "712" | "723") => K::Other,
        // Also 42P10 and 42830, whose texts mention unique constraints.
        ("42", _) => K::Syntax,

        // 53 and 54: resources and limits.
        ("53", "100") => K::DiskFull,
        ("53", "300") => K::TooManyConnections,
        ("53" | "54", _) => K::ResourceExhausted,

        ("55", "P03") => K::LockTimeout, // lock_timeout and NOWAIT alike

        // 57: operator intervention.
        ("57", "014") if report.phase == Phase::Connect => K::ServerUnavailable,
        ("57", "014") => K::StatementTimeout, // statement_timeout and cancel alike
        ("57", "P01" | "P02" | "P04") => K::ConnectionLost, // terminated, crash, dropped
        ("57", "P03") => K::ServerUnavailable, // starting, stopping, recovering
        ("57", "P05") => K::SessionExpired,   // idle_session_timeout

        // 58: errors outside the server; 58C00 is CockroachDB's lost quorum.
        ("58", "C00") => K::ServerUnavailable,
        ("58" | "F0", _) => K::Internal,

        ("72", "000") => K::SerializationFailure, // snapshot too old

        ("XX", "001" | "002") => K::Corruption,
        // CockroachDB: the transaction committed, the schema change after it failed. Nothing
        // may be repeated, and only verification can say what is there.
        ("XX", "A00") => K::CommitUnknown,
        ("XX", "000") => internal_error(report),
        ("XX", _) => K::Internal,

        // Among others 21 cardinality, 25001, 27000 trigger conflict, 2BP01 dependent objects,
        // 55 object states, HV foreign data, P0 and private classes from RAISE.
        _ => K::Other,
    }
}

/// 0A000: one of its many meanings is a cached plan that no longer fits.
fn feature_not_supported(report: &ErrorReport<'_>) -> K {
    match report.routine {
        // `RevalidateCachedPlan` before PostgreSQL 9.2.
        Some("RevalidateCachedQuery" | "RevalidateCachedPlan") => K::StalePlan,
        None if report.message == "cached plan must not change result type" => K::StalePlan,
        // SET TRANSACTION READ WRITE on a standby.
        Some("call_bool_check_hook") | None if report.message.ends_with("during recovery") => {
            K::ReadOnly
        }
        _ => K::Other,
    }
}

/// XX000: the server's own internal messages, which are never translated.
fn internal_error(report: &ErrorReport<'_>) -> K {
    let text = report.message;
    // Two sessions changed one catalogue row, or a row without a lock: a retry heals it.
    if matches!(
        text,
        "tuple concurrently updated" | "tuple concurrently deleted"
    ) {
        return K::SerializationFailure;
    }
    match report.engine {
        None | Some(Engine::Redshift)
            if text.starts_with("1023") || text.starts_with("Serializable isolation violation") =>
        {
            K::SerializationFailure
        }
        Some(Engine::YugabyteDb) if text.starts_with("Timed out") => {
            if report.phase == Phase::Commit {
                K::CommitUnknown
            } else {
                K::StatementTimeout
            }
        }
        Some(Engine::YugabyteDb)
            if [
                "Catalog Version Mismatch",
                "schema version mismatch",
                "Restart read required",
                "Operation expired",
                "Operation failed. Try again",
                "Value write after transaction start",
            ]
            .iter()
            .any(|start| text.starts_with(start)) =>
        {
            K::SerializationFailure
        }
        _ => K::Internal,
    }
}

/// 08P01: a protocol error of `PostgreSQL`, and nearly everything that `PgBouncer` has to say.
/// The pooler sends no routine and is never localized.
fn protocol_violation(report: &ErrorReport<'_>) -> K {
    let pooler = match report.engine {
        Some(Engine::PgBouncer) => true,
        Some(_) => return K::Internal,
        None => false,
    };
    if report.severity == Some("ERROR") {
        // Its admin console; from PostgreSQL a message that a driver should not have sent.
        return if pooler { K::Other } else { K::Internal };
    }
    if report.routine.is_some() {
        return K::Internal;
    }
    pgbouncer(report.message).unwrap_or(if pooler {
        // "server conn crashed?", "server_lifetime", "admin forced disconnect", ...
        K::ConnectionLost
    } else {
        K::Internal
    })
}

/// `PgBouncer`'s texts by their fixed beginnings, and by their ends where a name comes first.
fn pgbouncer(text: &str) -> Option<K> {
    let starts = |list: &[&str]| list.iter().any(|start| text.starts_with(start));
    Some(
        if starts(&[
            "server login ", // "has been failing", "failed"
            "pgbouncer cannot connect",
            "client_login_timeout",
            "server is down",
            "the database system is",
        ]) || (starts(&["database \""]) && text.ends_with("is disabled"))
        {
            K::ServerUnavailable
        } else if starts(&["no such database"])
            || (starts(&["database \""]) && text.ends_with("does not exist"))
        {
            K::UndefinedObject
        } else if starts(&[
            "query_wait_timeout",
            "no more connections allowed",
            "client connections exceeded",
            "too many",
            "sorry, too many",
        ]) {
            K::TooManyConnections
        } else if starts(&["query timeout", "query_timeout", "cancel_wait_timeout"]) {
            K::StatementTimeout
        } else if starts(&[
            "idle transaction timeout",
            "idle_transaction_timeout",
            "transaction timeout",
            "transaction_timeout",
            "client_idle_timeout",
            "idle timeout",
        ]) {
            K::SessionExpired
        } else if starts(&[
            "no such user",
            "SSL required",
            "TLS required",
            "login rejected",
        ]) || text.ends_with("authentication failed")
            || text.starts_with("password authentication failed")
            || text.ends_with("auth failed")
        {
            K::Authentication
        } else if starts(&["prepared statement"]) {
            K::StalePlan
        } else if starts(&["out of memory", "no memory"]) {
            K::ResourceExhausted
        } else if starts(&["unsupported startup parameter", "unsupported protocol"]) {
            K::Other
        } else if starts(&[
            "server conn crashed",
            "server_lifetime",
            "server shutting down",
            "server closed",
            "database configuration changed",
            "admin forced disconnect",
            "pooler is shut down",
            "client disconnect",
        ]) {
            K::ConnectionLost
        } else {
            return None;
        },
    )
}
