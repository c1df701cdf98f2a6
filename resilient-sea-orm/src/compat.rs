//! What only inherent methods and conversions of `DatabaseConnection` offer.

use sea_orm::{
    DatabaseConnection, DatabaseExecutor, DbBackend, DbErr, IntoDatabaseExecutor, SchemaBuilder,
};

use crate::ResilientConnection;

impl ResilientConnection {
    /// The SQL dialect.
    ///
    /// # Panics
    /// If the connection underneath is `Disconnected`, as SeaORM's own does.
    pub fn get_database_backend(&self) -> DbBackend {
        self.pool.connection.get_database_backend()
    }

    /// A schema builder for this dialect.
    pub fn get_schema_builder(&self) -> SchemaBuilder {
        self.pool.connection.get_schema_builder()
    }

    /// The schema of every registered entity below `prefix`.
    #[cfg(feature = "entity-registry")]
    pub fn get_schema_registry(&self, prefix: &str) -> SchemaBuilder {
        self.pool.connection.get_schema_registry(prefix)
    }

    /// Checks that the server answers, on a connection of the pool.
    ///
    /// # Errors
    /// When it does not, or no connection can be had.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.pool.connection.ping().await
    }

    /// Closes the pool, for every clone. Open transactions end first.
    ///
    /// # Errors
    /// As SeaORM's own.
    pub async fn close(self) -> Result<(), DbErr> {
        self.close_by_ref().await
    }

    /// Closes the pool, for every clone; the monitor, if one runs, ends first.
    ///
    /// # Errors
    /// As SeaORM's own.
    pub async fn close_by_ref(&self) -> Result<(), DbErr> {
        self.stop_monitoring().await;
        self.pool.connection.close_by_ref().await
    }

    /// The pool of sqlx underneath.
    ///
    /// # Panics
    /// If this is not a MySQL connection.
    #[cfg(feature = "sqlx-mysql")]
    pub fn get_mysql_connection_pool(&self) -> &sqlx::MySqlPool {
        self.pool.connection.get_mysql_connection_pool()
    }

    /// The pool of sqlx underneath.
    ///
    /// # Panics
    /// If this is not a PostgreSQL connection.
    #[cfg(feature = "sqlx-postgres")]
    pub fn get_postgres_connection_pool(&self) -> &sqlx::PgPool {
        self.pool.connection.get_postgres_connection_pool()
    }

    /// The pool of sqlx underneath.
    ///
    /// # Panics
    /// If this is not an SQLite connection.
    #[cfg(feature = "sqlx-sqlite")]
    pub fn get_sqlite_connection_pool(&self) -> &sqlx::SqlitePool {
        self.pool.connection.get_sqlite_connection_pool()
    }

    /// What a mock was asked to do.
    ///
    /// # Panics
    /// If this is not a mock.
    #[cfg(feature = "mock")]
    pub fn into_transaction_log(self) -> Vec<sea_orm::Transaction> {
        self.pool.connection.clone().into_transaction_log()
    }
}

/// Migrations run on the pool: their transactions are SeaORM's, and DDL is not to be retried.
impl<'c> IntoDatabaseExecutor<'c> for &'c ResilientConnection {
    fn into_database_executor(self) -> DatabaseExecutor<'c> {
        DatabaseExecutor::Connection(&self.pool.connection)
    }
}

impl AsRef<DatabaseConnection> for ResilientConnection {
    fn as_ref(&self) -> &DatabaseConnection {
        self.as_sea_orm()
    }
}
