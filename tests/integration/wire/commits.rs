//! What a verified commit costs.

use resilient_sea_orm::{CommitMode, ResilientConnection, Result, prelude::*};
use support::{Engine, TestResult, engine_tests};

use super::{Wire, read, write};

struct Repo {
    db: ResilientConnection,
}

#[resilient(commit = "verified")]
impl Repo {
    pub async fn writes(&self) -> Result<()> {
        read(&self.db).await?;
        Ok(write(&self.db).await?)
    }

    pub async fn reads(&self) -> Result<()> {
        Ok(read(&self.db).await?)
    }
}

/// The marker goes with COMMIT.
async fn a_verified_commit_costs_nothing_more(engine: Engine) -> TestResult {
    let builder = ResilientConnection::builder("").commit(CommitMode::Reported);
    let wire = Wire::built(engine, builder).await?;
    wire.db.ensure_marker_table().await?;
    let repo = Repo {
        db: wire.db.clone(),
    };
    let writes = wire.cost(async || repo.writes().await).await?;
    let commit = writes.flights.iter().flat_map(|f| &f.statements);
    let (tidied, commit): (Vec<_>, Vec<_>) = commit.partition(|sql| sql.starts_with("DELETE"));
    assert_eq!(writes.trips - tidied.len(), 4, "{writes:?}");
    let marked = commit
        .iter()
        .filter(|sql| sql.contains("resilient_commits"));
    assert_eq!(marked.count(), 1, "{writes:?}");
    let reads = wire.cost(async || repo.reads().await).await?;
    // Old markers are deleted in the background, once a minute.
    let tidied = reads.flights.iter().flat_map(|f| &f.statements);
    let tidied = tidied.filter(|sql| sql.starts_with("DELETE")).count();
    assert_eq!(reads.trips - tidied, 3, "{reads:?}");
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_verified_commit_costs_nothing_more,
}
