//! Whether the live schema has the constraints that are declared.

use resilient_core::constraint::{ConstraintReport, compare, declarations};
use sea_orm::{DatabaseConnectionType, DbBackend, DbErr, RuntimeErr};

use super::catalogue::{Which, load};
use crate::{Error, ResilientConnection, Result};

impl ResilientConnection {
    /// Compares the declared constraints with the live schema: rules whose constraint is absent,
    /// renamed or on other columns, constraints without a rule, declared tables that are not
    /// there, and entities that contradict each other.
    ///
    /// The one line for start-up, after migrations:
    ///
    /// ```
    /// # async fn example() -> resilient_sea_orm::Result<()> {
    /// # let db = resilient_sea_orm::ResilientConnection::connect("sqlite::memory:").await?;
    /// db.verify_constraints().await?.log();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Every declaration of the process is compared but those that name another connection. Where
    /// a program has several databases, `#[constraint(database = "...")]` with the
    /// [name](crate::Builder::name) of the connection keeps an entity's table from being missed
    /// in the others. In tests, [`assert_constraints_declared!`](crate::assert_constraints_declared)
    /// does the same and panics.
    ///
    /// On MySQL and MariaDB the connection's own database is read, and those that declarations
    /// name; elsewhere every schema. What the account may not see is not there.
    ///
    /// # Errors
    /// When the catalogue cannot be read. Differences are no error: see
    /// [`ConstraintReport::errors`].
    ///
    /// # Cancel safety
    /// It only reads, and can be dropped. Inside a resilient method it reads in that method's
    /// transaction.
    pub async fn verify_constraints(&self) -> Result<ConstraintReport> {
        // SeaORM panics when it is asked for the engine of no connection.
        if matches!(
            self.as_sea_orm().inner,
            DatabaseConnectionType::Disconnected
        ) {
            let error = RuntimeErr::Internal("Disconnected".to_owned());
            return Err(Error::from(DbErr::Conn(error)));
        }
        let declared = declarations();
        let schemas: Vec<&str> = declared.iter().filter_map(|d| d.schema_name()).collect();
        let which = match self.get_database_backend() {
            DbBackend::MySql => Which::Schemas(&schemas),
            _ => Which::All,
        };
        let generation = self.pool.schema.generation();
        let catalogue = load(self, which).await?;
        self.pool.schema.learn(&catalogue, generation);
        Ok(compare(self.name(), &catalogue, &declared))
    }
}

/// Panics, with the report, unless the live schema and the declared constraints agree. For tests.
///
/// With `errors_only`, constraints without a rule are fine. It is awaited by itself, so it must
/// stand in an `async` function or block.
///
/// ```
/// use resilient_sea_orm::{ResilientConnection, assert_constraints_declared};
///
/// # async fn example() -> resilient_sea_orm::Result<()> {
/// let db = ResilientConnection::connect("sqlite::memory:").await?;
/// // the migrations, then
/// assert_constraints_declared!(db);
/// assert_constraints_declared!(&db, errors_only);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// When they differ, or the catalogue cannot be read.
#[macro_export]
macro_rules! assert_constraints_declared {
    ($db:expr $(,)?) => {
        $crate::__private::assert_declared(
            $crate::ResilientConnection::verify_constraints(&$db).await,
            false,
        )
    };
    ($db:expr, errors_only $(,)?) => {
        $crate::__private::assert_declared(
            $crate::ResilientConnection::verify_constraints(&$db).await,
            true,
        )
    };
}
