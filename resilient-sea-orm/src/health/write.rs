//! Can something be stored? Proven as far as that is possible without a table of the user's and
//! without leaving anything behind. No name is shared between checks, so they do not interfere.

use resilient_core::{FaultKind, health::Finding};
use sea_orm::{DbBackend, DbErr, QueryResult};

use super::checks::rows;
use crate::session::{Request, Session};

pub(super) async fn check(session: &mut Session) -> Result<Finding, DbErr> {
    match session.backend() {
        DbBackend::Postgres => postgres(session).await,
        DbBackend::MySql => mysql(session).await,
        _ => sqlite(session).await,
    }
}

async fn run(session: &mut Session, sql: &str) -> Result<(), DbErr> {
    session.send(Request::Unprepared(sql)).await.map(drop)
}

/// A transaction that puts a message into the log, which nobody reads but logical decoding, and
/// commits: the log was written as far as `synchronous_commit` asks. A table would leave dead rows
/// in the catalogue with each check, even a temporary one. The message itself is also allowed in
/// a transaction that is read-only, so that is asked.
async fn postgres(session: &mut Session) -> Result<Finding, DbErr> {
    run(session, "BEGIN").await?;
    let ask = "SELECT pg_is_in_recovery() AS standby, \
               current_setting('transaction_read_only') = 'on' AS read_only";
    let answer = rows(session, ask).await?;
    let flag = |column: &str| {
        answer
            .first()
            .map_or(Ok(false), |row| row.try_get("", column))
    };
    let wrong = if flag("standby")? {
        Some("the server is a standby and takes no writes")
    } else if flag("read_only")? {
        Some("transactions are read-only by default (default_transaction_read_only)")
    } else {
        None
    };
    if let Some(wrong) = wrong {
        run(session, "ROLLBACK").await?;
        return Ok(Finding::bad(wrong, FaultKind::ReadOnly));
    }
    rows(
        session,
        "SELECT CAST(pg_logical_emit_message(true, 'resilient', 'write check') AS text)",
    )
    .await?;
    run(session, "COMMIT").await?;
    Ok(
        Finding::good()
            .without("whether your tables can be written, and room in their tablespaces"),
    )
}

/// The server's own word on being read-only, and a temporary table. Every write to a table that
/// is not temporary either needs one of the user's or ends the running transaction; a temporary
/// one alone proves little, as a read-only server has them too.
async fn mysql(session: &mut Session) -> Result<Finding, DbErr> {
    let ask = "SHOW VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', \
               'innodb_read_only', 'tx_read_only', 'transaction_read_only')";
    let on = |row: &QueryResult| -> Result<Option<String>, DbErr> {
        let value: String = row.try_get_by_index(1)?;
        let off = value == "0" || value.eq_ignore_ascii_case("off");
        if off {
            Ok(None)
        } else {
            row.try_get_by_index(0).map(Some)
        }
    };
    for row in rows(session, ask).await? {
        if let Some(variable) = on(&row)? {
            let text = format!("the server takes no writes ({variable} is on)");
            return Ok(Finding::bad(text, FaultKind::ReadOnly));
        }
    }
    for row in rows(session, "SHOW STATUS LIKE 'wsrep_ready'").await? {
        let ready: String = row.try_get_by_index(1)?;
        // A server that is not in a cluster may have the variable all the same.
        let alone = rows(session, "SHOW VARIABLES LIKE 'wsrep_on'").await?;
        let clustered = alone.iter().any(|row| on(row).is_ok_and(|on| on.is_some()));
        if clustered && !ready.eq_ignore_ascii_case("on") {
            let text = "the node is not part of its cluster (wsrep_ready is off)";
            return Ok(Finding::bad(text, FaultKind::ServerUnavailable));
        }
    }
    let missing = "whether your tables can be written, and room for them";
    // The table is the session's own, whatever others call theirs.
    let table = "CREATE TEMPORARY TABLE resilient_write_check (n INT) ENGINE=InnoDB";
    if let Err(error) = run(session, table).await {
        let fault = crate::pool::driver_error(&error).fault;
        if fault.kind() == FaultKind::Permission {
            return Ok(Finding::good()
                .without("a temporary table, which this account may not create")
                .without(missing));
        }
        return Err(error);
    }
    let filled = run(session, "INSERT INTO resilient_write_check VALUES (1)").await;
    run(session, "DROP TEMPORARY TABLE resilient_write_check").await?;
    filled?;
    Ok(Finding::good().without(missing))
}

/// A table with a row, in a transaction that is rolled back. It takes the write lock, so checks
/// wait for each other and for writers.
async fn sqlite(session: &mut Session) -> Result<Finding, DbErr> {
    run(session, "BEGIN IMMEDIATE").await?;
    run(session, "CREATE TABLE resilient_write_check (n INTEGER)").await?;
    run(session, "INSERT INTO resilient_write_check VALUES (1)").await?;
    run(session, "ROLLBACK").await?;
    Ok(Finding::good().without("room on the disk, which only a commit needs"))
}
