//! Who else was in a deadlock: asked after it happened, beside the retry, which does not wait.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use resilient_core::{
    driver::Database,
    health::{
        HealthEvent,
        deadlocks::{Deadlock, Participant, from_innodb_status, from_postgres_detail},
        performance::{Dialect, normalise},
    },
    scope::CallStatus,
    time::unix_ms,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::pool::Pool;

/// How long the server may take to say more; nobody waits for it.
const LIMIT: Duration = Duration::from_secs(2);

/// A statement of ours lost a deadlock.
pub(crate) fn seen(
    pool: &Arc<Pool>,
    error: &DbErr,
    sql: &str,
    sent: Instant,
    server_pid: Option<u64>,
) {
    let backend = pool.connection.get_database_backend();
    let dialect = match backend {
        DbBackend::Postgres => Dialect::Postgres,
        _ => Dialect::MySql,
    };
    let mut victim = Participant::default();
    victim.pid = server_pid.unwrap_or_default();
    victim.method = CallStatus::current().map(|status| status.method().to_owned());
    victim.statement = Some(normalise(sql, dialect));
    victim.victim = true;
    let told = told(error);
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    let pool = Arc::clone(pool);
    runtime.spawn(async move {
        let found = tokio::time::timeout(LIMIT, async {
            match backend {
                // What the other one did is in the server's log alone; what it does now is another
                // statement.
                DbBackend::Postgres => told.and_then(|(detail, context)| {
                    from_postgres_detail(&detail, context.as_deref())
                }),
                DbBackend::MySql => mysql(&pool, &victim).await,
                _ => None,
            }
        });
        let mut deadlock = found.await.ok().flatten().unwrap_or_else(|| {
            let mut alone = Deadlock::default();
            alone.participants.push(victim.clone());
            alone
        });
        for participant in &mut deadlock.participants {
            if participant.victim {
                participant.method.clone_from(&victim.method);
                participant.statement.clone_from(&victim.statement);
            }
        }
        // The other one held its lock before ours was waited for.
        let sessions = pool.context().sessions();
        deadlock.name_methods(|pid| sessions.method_of(pid, sent).map(str::to_owned));
        deadlock.at_unix_ms = unix_ms();
        let context = pool.context();
        context.vitals().events().send(HealthEvent::DeadlockSeen {
            database: context.name().to_owned(),
            methods: deadlock.methods().iter().map(ToString::to_string).collect(),
        });
        context.deadlocks().enter(deadlock);
    });
}

/// PostgreSQL's DETAIL and CONTEXT.
fn told(error: &DbErr) -> Option<(String, Option<String>)> {
    #[cfg(feature = "sqlx-postgres")]
    if let DbErr::Exec(sea_orm::RuntimeErr::SqlxError(e))
    | DbErr::Query(sea_orm::RuntimeErr::SqlxError(e)) = error
        && let sqlx::Error::Database(e) = &**e
        && let Some(e) = e.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
    {
        return Some((e.detail()?.to_owned(), e.r#where().map(str::to_owned)));
    }
    let _ = error;
    None
}

async fn mysql(pool: &Pool, victim: &Participant) -> Option<Deadlock> {
    let status = Statement::from_string(DbBackend::MySql, "SHOW ENGINE INNODB STATUS");
    let row = pool.connection.query_one_raw(status).await.ok()??;
    let text: String = row.try_get("", "Status").ok()?;
    let deadlock = from_innodb_status(&text, |sql| normalise(sql, Dialect::MySql))?;
    // The status keeps the last one, which another pair may have had meanwhile.
    let ours = deadlock.victim()?;
    let same = if victim.pid == 0 {
        ours.statement == victim.statement
    } else {
        ours.pid == victim.pid
    };
    same.then_some(deadlock)
}
