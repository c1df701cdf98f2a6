//! A session of the framework's as SeaORM's queries take a connection.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::Mutex;

use crate::session::{Reply, Request, Session};

/// A session in the middle of a turn, for questions about the schema. One at a time.
pub(super) struct OnSession<'a> {
    backend: DbBackend,
    session: Mutex<&'a mut Session>,
}

impl<'a> OnSession<'a> {
    pub(super) fn new(session: &'a mut Session) -> Self {
        Self {
            backend: session.backend(),
            session: Mutex::new(session),
        }
    }

    /// Sends a statement once more, whatever it answers.
    pub(super) async fn repeat(&self, request: Request<'_>) -> Result<(), DbErr> {
        self.send(request).await.map(drop)
    }

    async fn send(&self, request: Request<'_>) -> Result<Reply, DbErr> {
        self.session.lock().await.send(request).await
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for OnSession<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        self.send(Request::Execute(&stmt)).await?.done()
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.send(Request::Unprepared(sql)).await?.done()
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.send(Request::One(&stmt)).await?.one()
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.send(Request::All(&stmt)).await?.all()
    }
}
