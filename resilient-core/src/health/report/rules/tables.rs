//! Deleted rows and missing indexes.

use crate::health::{
    indexes::IndexNeed,
    report::{Area, HealthReport, Recommendation, Severity},
    tables::{TableReport, TableStatus},
};

/// Below so many rows an index matters little.
const SMALL: u64 = 1000;

pub(super) fn tables(report: &HealthReport) -> Vec<Recommendation> {
    let Some(section) = &report.tables else {
        return Vec::new();
    };
    section.tables.iter().flat_map(table).collect()
}

fn table(table: &TableReport) -> Vec<Recommendation> {
    let new = |severity, text| Recommendation::new(severity, Area::Tables, text);
    let name = match &table.schema {
        Some(schema) => format!("{schema}.{}", table.table),
        None => table.table.clone(),
    };
    let mut all = Vec::new();
    if table.cleanup_recommended {
        let severity = match table.status {
            TableStatus::Poor => Severity::Warning,
            _ => Severity::Info,
        };
        let text = format!(
            "{name}: {}: remove the old ones for good, in small batches",
            table.reason
        );
        all.push(new(severity, text));
    }
    if table.status == TableStatus::Unknown {
        let text = format!("{name} ({}): {}", table.entity, table.reason);
        all.push(new(Severity::Warning, text));
    }
    for index in &table.missing_indexes {
        let severity = match table.total_rows {
            Some(rows) if rows < SMALL => Severity::Info,
            _ => Severity::Warning,
        };
        let why = match index.why {
            IndexNeed::SoftDelete => "queries that leave deleted rows out read all of it",
            IndexNeed::ForeignKey => "each delete in the parent reads all of it",
        };
        let text = format!(
            "{name} has no index that begins with {}, so {why}: add it",
            index.columns.join(", ")
        );
        all.push(new(severity, text).by(index.statement.clone()));
    }
    all
}
