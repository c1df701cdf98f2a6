//! SeaORM's schema sync: what it asks about the schema as it is.
//!
//! Inside a scope it asks in the scope's transaction, which alone sees what that has changed.

use resilient_core::{
    driver::Database,
    scope::{Place, Scope, current},
};
use sea_orm::{DbBackend, DbErr, Statement, StatementBuilder, sea_query::SelectStatement};
use sea_schema::{
    Connection,
    sqlx_types::{SqlxError, SqlxRow},
};

use crate::{
    Error, ResilientConnection, ResilientTransaction,
    connection_trait::booked,
    pool::Pool,
    session::{Request, limited},
};

async fn in_scope(scope: &Scope<Pool>, statement: Statement) -> Result<Vec<SqlxRow>, SqlxError> {
    ask(scope, statement)
        .await
        .map_err(|error| SqlxError::AnyDriverError(Box::new(Error::from(error))))
}

async fn ask(scope: &Scope<Pool>, statement: Statement) -> Result<Vec<SqlxRow>, DbErr> {
    let mut turn = scope.turn(false).await.map_err(Error::from)?;
    let limit = turn.limit();
    let now = || scope.database().context().vitals().now();
    let session = turn.session().map_err(Error::from)?;
    let sent = now();
    let result = limited(limit, session.schema_rows(&statement)).await;
    let request = Request::All(&statement);
    booked(turn, limit, request, (sent, now()), result).await
}

fn built(backend: DbBackend, select: &SelectStatement) -> Statement {
    StatementBuilder::build(select, &backend)
}

#[async_trait::async_trait]
impl Connection for ResilientConnection {
    async fn query_all(&self, select: SelectStatement) -> Result<Vec<SqlxRow>, SqlxError> {
        match current(&self.pool) {
            Place::Scope(scope) => {
                in_scope(&scope, built(self.get_database_backend(), &select)).await
            }
            Place::Detached(_) | Place::Outside => {
                Connection::query_all(&self.pool.connection, select).await
            }
        }
    }

    async fn query_all_raw(&self, sql: String) -> Result<Vec<SqlxRow>, SqlxError> {
        match current(&self.pool) {
            Place::Scope(scope) => {
                let statement = Statement::from_string(self.get_database_backend(), sql);
                in_scope(&scope, statement).await
            }
            Place::Detached(_) | Place::Outside => {
                Connection::query_all_raw(&self.pool.connection, sql).await
            }
        }
    }
}

#[async_trait::async_trait]
impl Connection for ResilientTransaction {
    async fn query_all(&self, select: SelectStatement) -> Result<Vec<SqlxRow>, SqlxError> {
        let backend = self.scope.database().connection.get_database_backend();
        in_scope(&self.scope, built(backend, &select)).await
    }

    async fn query_all_raw(&self, sql: String) -> Result<Vec<SqlxRow>, SqlxError> {
        let backend = self.scope.database().connection.get_database_backend();
        in_scope(&self.scope, Statement::from_string(backend, sql)).await
    }
}
