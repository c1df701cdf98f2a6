//! `PostgreSQL` and what speaks its protocol.

use super::*;

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
