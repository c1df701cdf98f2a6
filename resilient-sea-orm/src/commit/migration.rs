//! The table of markers as a migration.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::MarkerTable;

/// A migration that makes the table of markers, for a `Migrator`'s list.
///
/// ```
/// use resilient_sea_orm::commit::CreateMarkerTable;
/// use sea_orm_migration::{MigrationTrait, MigratorTrait};
///
/// struct Migrator;
///
/// impl MigratorTrait for Migrator {
///     fn migrations() -> Vec<Box<dyn MigrationTrait>> {
///         vec![Box::new(CreateMarkerTable::default())]
///     }
/// }
/// ```
#[derive(Debug, Default)]
pub struct CreateMarkerTable {
    table: MarkerTable,
}

impl CreateMarkerTable {
    /// For a table of this name, as [`Builder::marker_table`](crate::Builder::marker_table)
    /// takes it.
    pub fn named(name: &str) -> Self {
        Self {
            table: MarkerTable::named(name),
        }
    }
}

impl MigrationName for CreateMarkerTable {
    fn name(&self) -> &'static str {
        "m20261121_000001_resilient_commits"
    }
}

// The trait leaves the lifetime out, and an implementation that names it does not fit.
#[allow(elided_lifetimes_in_paths)]
#[async_trait::async_trait]
impl MigrationTrait for CreateMarkerTable {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = self.table.create(manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = self.table.drop_table(manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }
}
