//! Tables with soft-deleted rows, and the indexes that they miss.

// Each engine uses a part of it.
#![cfg_attr(
    not(feature = "sqlx-all"),
    allow(dead_code, unused_imports, unused_variables)
)]

mod count;
mod facts;
mod index;
mod sample;
mod subject;
mod target;

pub use resilient_core::health::tables::*;

use resilient_core::{FaultKind, constraint::Catalogue};
use sea_orm::{DatabaseConnectionType, DbErr, EntityName, RuntimeErr};

use self::{facts::Facts, index::Names, subject::Subject, target::Target};
use crate::{
    Error, ResilientConnection, Result, classify,
    constraints::catalogue::{Which, load},
};

/// How tables are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct TableOptions {
    exact: bool,
    count_up_to: u32,
    thresholds: TableThresholds,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            exact: false,
            count_up_to: 100_000,
            thresholds: TableThresholds::default(),
        }
    }
}

impl TableOptions {
    /// Counted up to 100 000 rows, estimated beyond, with the usual thresholds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts every row, however long that takes; the connection's time limit for statements
    /// still holds. Off by default.
    #[must_use]
    pub fn exact(mut self, exact: bool) -> Self {
        self.exact = exact;
        self
    }

    /// Up to how many rows a table is counted; also about how many are read of a bigger one to
    /// estimate what its statistics do not tell. 100 000 by default.
    #[must_use]
    pub fn count_up_to(mut self, rows: u32) -> Self {
        self.count_up_to = rows;
        self
    }

    /// From where on deleted rows are a burden.
    #[must_use]
    pub fn thresholds(mut self, thresholds: TableThresholds) -> Self {
        self.thresholds = thresholds;
        self
    }
}

impl ResilientConnection {
    /// Looks at the table of every declared entity, that is, one with
    /// `#[derive(SoftDelete)]` or `#[derive(ConstraintMessages)]`, or registered by hand: how many
    /// rows are deleted, what to think of that, and which indexes are missing.
    ///
    /// ```
    /// use resilient_sea_orm::{ResilientConnection, health::tables::TableOptions};
    ///
    /// # async fn example() -> resilient_sea_orm::Result<()> {
    /// # let db = ResilientConnection::connect("sqlite::memory:").await?;
    /// for table in db.table_reports(TableOptions::new()).await? {
    ///     println!("{}: {}, {}", table.entity, table.status, table.reason);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Small tables are counted. Of big ones the statistics are asked (PostgreSQL: the planner's;
    /// MySQL: `information_schema`), or some rows from all over the table are read, and the report
    /// says that it is [`estimated`](TableReport::estimated). Only plain reads are sent, one after
    /// the other, each within the connection's limit for statements: they lock no row.
    ///
    /// A table that is not there, or cannot be read, has the status
    /// [`Unknown`](TableStatus::Unknown) and the reason.
    ///
    /// # Errors
    /// When the database cannot be asked at all.
    ///
    /// # Cancel safety
    /// It only reads, and can be dropped. Inside a resilient method it reads in that method's
    /// transaction, which on PostgreSQL a table that cannot be read then spoils.
    pub async fn table_reports(&self, options: TableOptions) -> Result<Vec<TableReport>> {
        reports(self, subject::all(self.name()), &options).await
    }

    /// The same for one entity, whether or not anything is declared about it.
    ///
    /// # Errors
    /// When the database cannot be asked at all.
    pub async fn table_report<E: EntityName>(
        &self,
        entity: E,
        options: TableOptions,
    ) -> Result<TableReport> {
        let (schema, table) = (entity.schema_name(), entity.table_name());
        let subject = subject::all(self.name())
            .into_iter()
            .find(|subject| subject.table == table && subject.schema.as_deref() == schema)
            .unwrap_or_else(|| Subject::plain(schema, table));
        let mut reports = reports(self, vec![subject], &options).await?;
        Ok(reports
            .pop()
            .unwrap_or_else(|| TableReport::unknown(table, "it was not looked at")))
    }
}

/// The same for those with soft-deleted rows alone; none if there are none.
pub(super) async fn soft_deleted(
    db: &ResilientConnection,
    options: &TableOptions,
) -> Result<Vec<TableReport>> {
    let mut subjects = subject::all(db.name());
    subjects.retain(|subject| subject.soft_delete.is_some());
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    reports(db, subjects, options).await
}

async fn reports(
    db: &ResilientConnection,
    subjects: Vec<Subject>,
    options: &TableOptions,
) -> Result<Vec<TableReport>> {
    // SeaORM panics when it is asked for the engine of no connection.
    if matches!(db.as_sea_orm().inner, DatabaseConnectionType::Disconnected) {
        let error = RuntimeErr::Internal("Disconnected".to_owned());
        return Err(Error::from(DbErr::Conn(error)));
    }
    let names: Vec<(Option<&str>, &str)> = subjects
        .iter()
        .map(|subject| (subject.schema.as_deref(), &*subject.table))
        .collect();
    let generation = db.pool.schema.generation();
    let catalogue = load(db, Which::Tables(&names)).await?;
    db.pool.schema.learn(&catalogue, generation);
    let mut names = Names::of(&catalogue);
    let mut reports = Vec::with_capacity(subjects.len());
    for subject in &subjects {
        let report = match report(db, &catalogue, subject, options, &mut names).await {
            Ok(report) => report,
            Err(error) if is_general(&error) => return Err(error.into()),
            Err(error) => subject.report(format!("it cannot be read: {}", Error::from(error))),
        };
        reports.push(report);
    }
    Ok(reports)
}

/// Whether the next table would fare no better.
fn is_general(error: &DbErr) -> bool {
    classify(error).is_some_and(|fault| {
        matches!(
            fault.kind(),
            FaultKind::ServerUnavailable
                | FaultKind::TooManyConnections
                | FaultKind::PoolTimeout
                | FaultKind::PendingRollback
                | FaultKind::Authentication
        )
    })
}

async fn report(
    db: &ResilientConnection,
    catalogue: &Catalogue,
    subject: &Subject,
    options: &TableOptions,
    names: &mut Names,
) -> Result<TableReport, DbErr> {
    let Some(table) = catalogue.table(subject.schema.as_deref(), &subject.table) else {
        return Ok(subject.report("there is no such table, or it may not be seen"));
    };
    let backend = db.get_database_backend();
    let target = Target::new(backend, table, subject.soft_delete.as_ref());
    let facts = Facts::read(db, &target).await?;
    let mut report = match (&subject.soft_delete, target.is_complete()) {
        (Some((column, _)), false) => subject.report(format!("it has no column {column:?}")),
        _ => match count::rows(db, &target, &facts, options).await {
            Ok(rows) => subject.report("").judged(rows, &options.thresholds),
            Err(error) if is_general(&error) => return Err(error),
            // Its indexes are known all the same.
            Err(error) => subject.report(format!("it cannot be read: {}", Error::from(error))),
        },
    };
    report.schema.clone_from(&table.schema);
    report.table.clone_from(&table.name);
    report.missing_indexes = index::missing(&target, &facts, names);
    Ok(report)
}
