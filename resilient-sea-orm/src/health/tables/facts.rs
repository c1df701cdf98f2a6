//! What an engine knows about a table without reading it.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use super::target::Target;

/// What is known of a table beforehand.
#[allow(clippy::struct_excessive_bools)] // four answers to four questions
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// About how many rows it has, where the engine keeps that.
    pub(super) rows: Option<u64>,
    /// Whether that is a guess from the table's size alone.
    pub(super) guessed: bool,
    /// Whether it has rows of its own, and so can have indexes.
    pub(super) stored: bool,
    /// Whether it is one of partitions.
    pub(super) partitioned: bool,
    /// Whether the planner has statistics of the soft-delete column.
    pub(super) analyzed: bool,
    /// The key by which places in the table can be chosen: one column of integers, in quotes.
    pub(super) number: Option<String>,
}

const POSTGRES: &str = "
SELECT c.relkind::text AS kind, CASE WHEN c.reltuples <= 0 THEN 'y' END AS guessed,
       CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_stats s WHERE s.schemaname = n.nspname
                         AND s.tablename = c.relname AND s.attname = $3) THEN 'y' END AS analyzed
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2";

const MYSQL: &str = "
SELECT CAST(t.table_type AS CHAR) AS kind, CAST(t.table_rows AS SIGNED) AS known_rows,
       (SELECT CAST(CASE WHEN c.column_type LIKE '%unsigned%' AND c.data_type = 'bigint' THEN NULL
                         ELSE c.data_type END AS CHAR)
        FROM information_schema.columns c
        WHERE c.table_schema = ? AND c.table_name = ? AND c.column_name = ?) AS key_type
FROM information_schema.tables t WHERE t.table_schema = ? AND t.table_name = ?";

/// Tables without a row number, and views.
const SQLITE: &str = "
SELECT CASE WHEN l.type = 'table' AND l.wr = 0 THEN 'y' END AS numbered
FROM pragma_table_list(?) l WHERE l.schema = 'main'";

impl Facts {
    pub(super) async fn read(
        db: &impl ConnectionTrait,
        target: &Target<'_>,
    ) -> Result<Self, DbErr> {
        match target.backend {
            DbBackend::Postgres => postgres(db, target).await,
            DbBackend::MySql => mysql(db, target).await,
            _ => sqlite(db, target).await,
        }
    }
}

fn text(row: &QueryResult, name: &str) -> Result<Option<String>, DbErr> {
    row.try_get("", name)
}

async fn postgres(db: &impl ConnectionTrait, target: &Target<'_>) -> Result<Facts, DbErr> {
    let schema = target.table.schema.clone().unwrap_or_default();
    let column = target.column.map_or("", |(column, _)| column);
    let values = [schema.into(), (&*target.table.name).into(), column.into()];
    let query = Statement::from_sql_and_values(target.backend, POSTGRES, values);
    let Some(row) = db.query_one_raw(query).await? else {
        return Ok(Facts::default());
    };
    let kind = text(&row, "kind")?;
    Ok(Facts {
        rows: Some(planned(db, target, None).await?),
        guessed: text(&row, "guessed")?.is_some(),
        stored: matches!(kind.as_deref(), Some("r" | "p" | "m")),
        partitioned: kind.as_deref() == Some("p"),
        analyzed: text(&row, "analyzed")?.is_some(),
        number: None,
    })
}

/// How many rows the planner of PostgreSQL expects. It knows `reltuples`, how the table has grown
/// since, and the statistics of its columns.
pub(super) async fn planned(
    db: &impl ConnectionTrait,
    target: &Target<'_>,
    condition: Option<&str>,
) -> Result<u64, DbErr> {
    let (from, condition) = (target.name(), condition.unwrap_or("true"));
    let explain = format!("EXPLAIN SELECT 1 FROM {from} WHERE {condition}");
    let query = Statement::from_string(target.backend, explain);
    let plan = match db.query_one_raw(query).await? {
        Some(row) => row.try_get_by_index::<String>(0)?,
        None => String::new(),
    };
    planned_rows(&plan)
        .ok_or_else(|| DbErr::Type("the plan does not say how many rows it has".to_owned()))
}

/// `Seq Scan on t  (cost=0.00..35.50 rows=2550 width=4)`; the last one, as names can hold anything.
fn planned_rows(plan: &str) -> Option<u64> {
    let (_, rows) = plan.rsplit_once(" rows=")?;
    rows.split(' ').next()?.parse().ok()
}

async fn mysql(db: &impl ConnectionTrait, target: &Target<'_>) -> Result<Facts, DbErr> {
    let key = single_key(target);
    let schema = target.table.schema.clone().unwrap_or_default();
    let table = &*target.table.name;
    let values = [
        (&*schema).into(),
        table.into(),
        key.unwrap_or_default().into(),
        (&*schema).into(),
        table.into(),
    ];
    let query = Statement::from_sql_and_values(target.backend, MYSQL, values);
    let Some(row) = db.query_one_raw(query).await? else {
        return Ok(Facts::default());
    };
    let rows: Option<i64> = row.try_get("", "known_rows")?;
    let is_number = text(&row, "key_type")?.is_some_and(|kind| kind.ends_with("int"));
    Ok(Facts {
        rows: rows.and_then(|rows| rows.try_into().ok()),
        stored: text(&row, "kind")?.as_deref() != Some("VIEW"),
        number: key.filter(|_| is_number).map(|key| target.quoted(key)),
        ..Facts::default()
    })
}

/// The primary key, if it is one column.
fn single_key<'a>(target: &Target<'a>) -> Option<&'a str> {
    let key = target.table.constraints.iter().find(|c| c.primary)?;
    match &*key.columns {
        [one] => Some(one),
        _ => None,
    }
}

async fn sqlite(db: &impl ConnectionTrait, target: &Target<'_>) -> Result<Facts, DbErr> {
    let name = &*target.table.name;
    let query = Statement::from_sql_and_values(target.backend, SQLITE, [name.into()]);
    let numbered = match db.query_one_raw(query).await? {
        Some(row) => text(&row, "numbered")?.is_some(),
        None => false,
    };
    // A column can take away one of the number's names.
    let free = ["rowid", "_rowid_", "oid"].into_iter().find(|name| {
        let mut columns = target.table.columns.iter();
        !columns.any(|column| column.name.eq_ignore_ascii_case(name))
    });
    Ok(Facts {
        stored: !target.table.columns.is_empty(),
        number: free.filter(|_| numbered).map(str::to_owned),
        ..Facts::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_plan() {
        let plan = "Seq Scan on \"a rows=7 b\"  (cost=0.00..35.50 rows=2550 width=4)";
        assert_eq!(planned_rows(plan), Some(2550));
        assert_eq!(planned_rows("Result"), None);
    }
}
