//! What an engine itself finds wrong with its data.

use resilient_core::{FaultKind, health::Finding};
use sea_orm::{DbBackend, DbErr};

use super::checks::{quoted, rows};
use crate::session::Session;

/// So many problems are listed, and so many tables checked.
const MOST: usize = 100;

pub(super) async fn check(
    session: &mut Session,
    full: bool,
    tables: &[String],
) -> Result<Finding, DbErr> {
    match session.backend() {
        DbBackend::Postgres => postgres(session, full).await,
        DbBackend::MySql => mysql(session, full, tables).await,
        _ => sqlite(session, full).await,
    }
}

fn finding(problems: &[String], not_checked: Vec<String>) -> Finding {
    let mut finding = if problems.is_empty() {
        Finding::good()
    } else {
        Finding::bad(problems.join("; "), FaultKind::Corruption)
    };
    finding.not_checked = not_checked;
    finding
}

async fn sqlite(session: &mut Session, full: bool) -> Result<Finding, DbErr> {
    let pragma = if full {
        "integrity_check"
    } else {
        "quick_check"
    };
    let mut problems = Vec::new();
    for row in rows(session, &format!("PRAGMA {pragma}({MOST})")).await? {
        let text: String = row.try_get_by_index(0)?;
        if text != "ok" {
            problems.push(text);
        }
    }
    let mut not_checked = Vec::new();
    if full {
        let orphans = rows(session, "PRAGMA foreign_key_check").await?;
        if let Some(row) = orphans.first() {
            let table: String = row.try_get_by_index(0)?;
            let n = orphans.len();
            problems.push(format!(
                "{n} rows without their parents, the first in {table}"
            ));
        }
    } else {
        not_checked.push("indexes against their tables, and foreign keys (full does)".to_owned());
    }
    Ok(finding(&problems, not_checked))
}

/// What the catalogue and the server's counters know; the data itself only with amcheck.
async fn postgres(session: &mut Session, full: bool) -> Result<Finding, DbErr> {
    let (mut problems, mut not_checked) = (Vec::new(), Vec::new());
    let invalid = "SELECT CAST(indexrelid::regclass AS text) AS name FROM pg_index \
         WHERE NOT (indisvalid AND indisready AND indislive) AND NOT EXISTS (\
         SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = indexrelid) LIMIT 100";
    for row in rows(session, invalid).await? {
        let name: String = row.try_get("", "name")?;
        problems.push(format!("index {name} is invalid and not used: REINDEX it"));
    }
    let checksums = "SELECT checksum_failures AS n FROM pg_stat_database \
                     WHERE datname = current_database()";
    let failures: Option<i64> = match rows(session, checksums).await?.first() {
        Some(row) => row.try_get("", "n")?,
        None => None,
    };
    match failures {
        Some(0) => {
            not_checked.push("pages that nobody read: a checksum is tested on reading".into());
        }
        Some(n) => problems.push(format!("{n} pages failed their checksum")),
        None => not_checked.push("pages: data checksums are off".to_owned()),
    }
    if full {
        amcheck(session, &mut problems, &mut not_checked).await?;
    } else {
        not_checked.push("the indexes' structure (full does, with amcheck)".to_owned());
    }
    Ok(finding(&problems, not_checked))
}

/// Each B-tree of the users', by the extension that is there for it.
async fn amcheck(
    session: &mut Session,
    problems: &mut Vec<String>,
    not_checked: &mut Vec<String>,
) -> Result<(), DbErr> {
    let installed = "SELECT CAST(extnamespace::regnamespace AS text) AS schema, \
         has_function_privilege(p.oid, 'EXECUTE') AS allowed \
         FROM pg_extension e JOIN pg_proc p ON p.pronamespace = e.extnamespace \
         WHERE extname = 'amcheck' AND proname = 'bt_index_check' LIMIT 1";
    let Some(row) = rows(session, installed).await?.into_iter().next() else {
        not_checked.push("the indexes' structure: amcheck is not installed".to_owned());
        return Ok(());
    };
    if !row.try_get::<bool>("", "allowed")? {
        not_checked.push("the indexes' structure: no permission for amcheck".to_owned());
        return Ok(());
    }
    // The name comes quoted.
    let schema: String = row.try_get("", "schema")?;
    let indexes = "SELECT CAST(i.indexrelid AS bigint) AS oid, \
         CAST(i.indexrelid::regclass AS text) AS name FROM pg_index i \
         JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam \
         JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE a.amname = 'btree' AND i.indisvalid AND i.indisready AND c.relkind = 'i' \
         AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
         AND n.nspname <> 'information_schema'";
    for row in rows(session, indexes).await? {
        let (oid, name): (i64, String) = (row.try_get("", "oid")?, row.try_get("", "name")?);
        let sql = format!("SELECT CAST({schema}.bt_index_check({oid}::oid::regclass) AS text)");
        if let Err(error) = rows(session, &sql).await {
            let fault = crate::pool::driver_error(&error).fault;
            if fault.kind() != FaultKind::Corruption {
                return Err(error);
            }
            problems.push(format!("index {name} is corrupt"));
        }
    }
    Ok(())
}

/// `CHECK TABLE` on each table. It waits for who changes the table's schema.
async fn mysql(session: &mut Session, full: bool, tables: &[String]) -> Result<Finding, DbErr> {
    let (mut problems, mut not_checked) = (Vec::new(), Vec::new());
    let quote = |table: &String| quoted(table, DbBackend::MySql);
    let mut tables: Vec<String> = tables.iter().map(quote).collect();
    if tables.is_empty() {
        let all = "SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables \
                   WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' ORDER BY 1";
        for row in rows(session, all).await? {
            let name: String = row.try_get("", "name")?;
            // A dot in it is part of the name.
            tables.push(format!("`{}`", name.replace('`', "``")));
        }
        if tables.len() > MOST {
            not_checked.push(format!(
                "{} tables after the first {MOST}",
                tables.len() - MOST
            ));
            tables.truncate(MOST);
        }
    }
    let how = if full { "EXTENDED" } else { "QUICK" };
    for table in &tables {
        let sql = format!("CHECK TABLE {table} {how}");
        for row in rows(session, &sql).await? {
            let kind: String = row.try_get_by_index(2)?;
            let text: String = row.try_get_by_index(3)?;
            if kind.eq_ignore_ascii_case("note") && !text.eq_ignore_ascii_case("ok") {
                not_checked.push(format!("{table}: {text}"));
            } else if kind.eq_ignore_ascii_case("error")
                || (kind.eq_ignore_ascii_case("status") && !text.eq_ignore_ascii_case("ok"))
            {
                problems.push(format!("{table}: {text}"));
            }
        }
    }
    if !full {
        not_checked.push("each index entry against its row (full does)".to_owned());
    }
    Ok(finding(&problems, not_checked))
}
