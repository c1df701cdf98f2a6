//! Everything that can be looked at, one part after the other.

use std::{future::Future, time::Duration};

use resilient_core::{
    constraint::ConstraintReport,
    health::{
        CheckOptions, CheckReport, CheckStatus, CheckStrategy, PoolReport, Sweep,
        report::{
            Area, Diagnostics, HealthReport, Part, PartOutcome, PoolSizes, Recommendation,
            Severity, TablesHealth, judge_configuration,
        },
    },
};
use tokio::time::Instant;

use super::{
    alone::{Cut, alone},
    options::{DiagnosticsOptions, HealthReportOptions},
};
use crate::{ResilientConnection, advice};

impl ResilientConnection {
    /// Looks at everything there is, and says what to do: the quick check, a row of a declared
    /// table, a write that leaves nothing behind, what the engine finds wrong with its data, the
    /// idle connections, the declared tables and constraints, and the settings.
    ///
    /// One part after the other, all within a minute. One that fails, takes too long or panics
    /// does not stop the others; where the database does not answer, those that need it are left
    /// out. It takes connections of its own, also inside a transaction.
    ///
    /// ```
    /// # async fn example() -> resilient_sea_orm::Result<()> {
    /// # let db = resilient_sea_orm::ResilientConnection::connect("sqlite::memory:").await?;
    /// let diagnostics = db.diagnostics().await;
    /// for what in &diagnostics.recommendations {
    ///     println!("{what}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    /// It can be dropped; idle connections that were found broken may be closed by then.
    pub async fn diagnostics(&self) -> Diagnostics {
        self.diagnostics_with(DiagnosticsOptions::default()).await
    }

    /// The same with another time limit, exact counts, or the full integrity check.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn diagnostics_with(&self, options: DiagnosticsOptions) -> Diagnostics {
        let begun = Instant::now();
        let pool = self.pool_status();
        let mut round = Round {
            db: self,
            begun,
            limit: options.limit,
            reachable: true,
            parts: Vec::new(),
            more: Vec::new(),
        };
        let quick = round.check("quick check", CheckStrategy::Quick).await;
        round.reachable = quick.as_ref().is_some_and(CheckReport::is_usable);
        let tables = round.tables(&options).await;
        if let Some(table) = any_table(&tables) {
            let strategy = CheckStrategy::Table(table);
            round.check("table check", strategy).await;
        }
        round.check("write check", CheckStrategy::Write).await;
        let full = options.full_integrity;
        let integrity = CheckStrategy::Integrity { full };
        round.check("integrity check", integrity).await;
        round.sweep().await;
        let constraints = round.constraints().await;
        round.configuration();

        let report = round.report(pool, quick, tables);
        let (parts, more) = (round.parts, round.more);
        let took = begun.elapsed().as_secs_f64();
        Diagnostics::of(report, parts, constraints, more, took)
    }
}

/// One round through all the parts.
struct Round<'a> {
    db: &'a ResilientConnection,
    begun: Instant,
    limit: Duration,
    /// Whether the database answered the first check.
    reachable: bool,
    parts: Vec<Part>,
    more: Vec<Recommendation>,
}

impl Round<'_> {
    fn part(&mut self, name: &str, outcome: PartOutcome, text: impl Into<String>, since: Instant) {
        let took = since.elapsed().as_secs_f64();
        self.parts.push(Part::new(name, outcome, text, took));
    }

    fn advise(&mut self, severity: Severity, area: Area, text: impl Into<String>) {
        self.more.push(Recommendation::new(severity, area, text));
    }

    /// Runs a part that asks the database; `None` if it has no result, which is booked.
    async fn ask<T: Send + 'static>(
        &mut self,
        name: &str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let since = Instant::now();
        if !self.reachable {
            let text = "left out, as the database cannot be used";
            self.part(name, PartOutcome::Skipped, text, since);
            return None;
        }
        match alone(self.begun + self.limit, work).await {
            Ok(done) => Some(done),
            Err(cut) => {
                let outcome = match cut {
                    Cut::TimedOut => PartOutcome::TimedOut,
                    Cut::Panicked => PartOutcome::Failed,
                };
                let text = cut.text(self.limit);
                let advice = format!("the {name} has no result: {text}");
                self.advise(Severity::Info, Area::Connection, advice);
                self.part(name, outcome, text, since);
                None
            }
        }
    }

    async fn check(&mut self, name: &'static str, strategy: CheckStrategy) -> Option<CheckReport> {
        let since = Instant::now();
        let (db, asked) = (self.db.clone(), strategy.clone());
        let options = CheckOptions {
            force: true,
            ..CheckOptions::default()
        };
        let work = async move { db.check_health_with(asked, options).await };
        let check = self.ask(name, work).await?;
        let reason = check.reason.clone().unwrap_or_default();
        if check.is_usable() {
            let not_checked = check.not_checked.join("; ");
            let mut text = check.status.to_string();
            for (more, before) in [(&reason, ": "), (&not_checked, "; not checked: ")] {
                if !more.is_empty() {
                    text = format!("{text}{before}{more}");
                }
            }
            let outcome = match check.status {
                CheckStatus::Healthy => PartOutcome::Good,
                _ => PartOutcome::Found,
            };
            self.part(name, outcome, text, since);
            return Some(check);
        }
        // What the quick check found, the report tells of.
        let advice = match strategy {
            CheckStrategy::Write => Some("nothing can be stored until that is mended"),
            CheckStrategy::Integrity { .. } => {
                Some("save what can be read, and compare with a backup before anything is repaired")
            }
            CheckStrategy::Table(_) => Some("see to its rights, and to the migrations"),
            _ => None,
        };
        if let Some(advice) = advice {
            let text = format!("the {name} failed ({reason}): {advice}");
            self.advise(Severity::Critical, Area::Connection, text);
        }
        self.part(name, PartOutcome::Found, reason, since);
        Some(check)
    }

    async fn sweep(&mut self) {
        const NAME: &str = "idle connections";
        let (since, db) = (Instant::now(), self.db.clone());
        let work = async move { db.check_connections().await };
        let Some(Sweep {
            checked,
            failed,
            closed,
            opened,
            ..
        }) = self.ask(NAME, work).await
        else {
            return;
        };
        let text = format!("{checked} checked, {failed} failed; {closed} closed, {opened} opened");
        let outcome = match failed {
            0 => PartOutcome::Good,
            _ => PartOutcome::Found,
        };
        if failed > 0 {
            let advice = format!(
                "{failed} of {checked} idle connections did not answer: something between here \
                 and the server ends them, so let max_idle_time be shorter than its limit"
            );
            self.advise(Severity::Warning, Area::Connection, advice);
        }
        self.part(NAME, outcome, text, since);
    }

    async fn constraints(&mut self) -> Option<ConstraintReport> {
        const NAME: &str = "constraints";
        let (since, db) = (Instant::now(), self.db.clone());
        #[cfg(feature = "sqlx-dep")]
        let work = async move { db.verify_constraints().await.map_err(|e| e.to_string()) };
        #[cfg(not(feature = "sqlx-dep"))]
        let work = async move {
            drop(db);
            Err::<ConstraintReport, _>("no engine is compiled".to_owned())
        };
        let report = match self.ask(NAME, work).await? {
            Ok(report) => report,
            Err(why) => {
                self.failed(NAME, why, since);
                return None;
            }
        };
        let (errors, all) = (report.errors().count(), report.findings.len());
        let text = format!(
            "{} tables and {} rules compared, {errors} differ, {} without a rule",
            report.tables,
            report.rules,
            all - errors
        );
        for finding in report.errors().take(20) {
            let text = format!("{finding}: mend the declaration, or the table");
            self.advise(Severity::Warning, Area::Schema, text);
        }
        if all > errors {
            let text = format!(
                "{} constraints of declared tables have no rule, so their violations get a plain \
                 message: declare them",
                all - errors
            );
            self.advise(Severity::Info, Area::Schema, text);
        }
        let outcome = match errors {
            0 => PartOutcome::Good,
            _ => PartOutcome::Found,
        };
        self.part(NAME, outcome, text, since);
        Some(report)
    }

    fn failed(&mut self, name: &str, why: String, since: Instant) {
        let advice = format!("the {name} could not be looked at: {why}");
        self.advise(Severity::Warning, Area::Connection, advice);
        self.part(name, PartOutcome::Failed, why, since);
    }

    #[cfg(feature = "sqlx-dep")]
    async fn tables(&mut self, options: &DiagnosticsOptions) -> TablesHealth {
        const NAME: &str = "tables";
        let (since, db) = (Instant::now(), self.db.clone());
        let options = options.table_options.clone();
        let work = async move { db.table_reports(options).await };
        let tables = match self.ask(NAME, work).await {
            Some(Ok(tables)) => tables,
            Some(Err(error)) => {
                self.failed(NAME, error.to_string(), since);
                return TablesHealth::of(Err(error.to_string()));
            }
            None => return TablesHealth::of(Err("see the parts".to_owned())),
        };
        let missing: usize = tables.iter().map(|t| t.missing_indexes.len()).sum();
        let full = tables.iter().filter(|t| t.cleanup_recommended).count();
        let unknown = tables
            .iter()
            .filter(|t| t.status == super::tables::TableStatus::Unknown)
            .count();
        let text = format!(
            "{} looked at, {full} to be cleaned up, {unknown} that could not be read; {missing} \
             indexes are missing",
            tables.len()
        );
        let outcome = match missing + full + unknown {
            0 => PartOutcome::Good,
            _ => PartOutcome::Found,
        };
        self.part(NAME, outcome, text, since);
        TablesHealth::of(Ok(tables))
    }

    #[cfg(not(feature = "sqlx-dep"))]
    #[allow(clippy::unused_async)]
    async fn tables(&mut self, _options: &DiagnosticsOptions) -> TablesHealth {
        TablesHealth::of(Err("no engine is compiled".to_owned()))
    }

    fn configuration(&mut self) {
        let since = Instant::now();
        let pool = &self.db.pool;
        let gauge = advice::gauge(pool).unwrap_or_default();
        let sizes = PoolSizes {
            max: gauge.max,
            min: advice::min_connections(pool),
            acquire_timeout: gauge.acquire_timeout,
        };
        let settings = pool.health.connections.settings();
        let found = judge_configuration(&pool.context, settings, sizes);
        let (outcome, text) = match found.len() {
            0 => (PartOutcome::Good, "nothing contradicts itself".to_owned()),
            1 => (PartOutcome::Found, "1 contradiction".to_owned()),
            n => (PartOutcome::Found, format!("{n} contradictions")),
        };
        self.more.extend(found);
        self.part("configuration", outcome, text, since);
    }

    fn report(
        &self,
        pool: PoolReport,
        quick: Option<CheckReport>,
        tables: TablesHealth,
    ) -> HealthReport {
        let check = quick.unwrap_or_else(|| {
            resilient_core::health::Finding::bad("the quick check has no result", None).grade(
                CheckStrategy::Quick,
                self.begun.elapsed(),
                self.limit,
            )
        });
        let options = HealthReportOptions::default();
        self.db
            .compose(pool, check, Some(tables), &options, self.begun)
    }
}

/// The first table that is there.
fn any_table(tables: &TablesHealth) -> Option<String> {
    let mut there = tables.tables.iter().filter(|table| {
        // A check takes a dot for what parts the schema from the table.
        let dotted = |name: &String| name.contains('.');
        table.total_rows.is_some()
            && !dotted(&table.table)
            && !table.schema.as_ref().is_some_and(dotted)
    });
    let table = there.next()?;
    Some(match &table.schema {
        Some(schema) => format!("{schema}.{}", table.table),
        None => table.table.clone(),
    })
}
