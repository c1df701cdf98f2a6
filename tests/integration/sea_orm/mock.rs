//! A unit test of a repository, without a database.

use resilient_sea_orm::prelude::*;
use sea_orm::{
    ActiveModelTrait, DbBackend, DbErr, EntityTrait, MockDatabase, MockExecResult, RuntimeErr,
};
use support::TestResult;

use super::{entities::bakery, new_bakery};

struct Bakeries {
    db: ResilientConnection,
}

#[resilient]
impl Bakeries {
    pub async fn rename(&self, id: i32, name: String) -> Result<Option<String>> {
        let Some(bakery) = bakery::Entity::find_by_id(id).one(&self.db).await? else {
            return Ok(None);
        };
        let mut changed: bakery::ActiveModel = bakery.into();
        changed.name = sea_orm::Set(name);
        self.log(id).await?;
        Ok(Some(changed.update(&self.db).await?.name))
    }

    pub async fn log(&self, id: i32) -> Result<()> {
        let text = format!("INSERT INTO log VALUES ({id})");
        sea_orm::ConnectionTrait::execute_unprepared(&self.db, &text).await?;
        Ok(())
    }

    pub async fn add(&self, name: &str) -> Result<i32> {
        Ok(new_bakery(name).insert(&self.db).await?.id)
    }
}

fn bakery(name: &str) -> bakery::Model {
    bakery::Model {
        id: 7,
        name: name.to_owned(),
        stars: 3,
    }
}

#[tokio::test]
async fn results_are_used_up_in_order_and_statements_are_logged() -> TestResult {
    let mock = MockDatabase::new(DbBackend::Postgres)
        .append_query_results([vec![bakery("old")], vec![bakery("new")], vec![]])
        .append_exec_results([MockExecResult {
            last_insert_id: 0,
            rows_affected: 1,
        }]);
    let repo = Bakeries {
        db: ResilientConnection::from(mock.into_connection()),
    };
    let renamed = repo.rename(7, "new".to_owned()).await?;
    assert_eq!(renamed.as_deref(), Some("new"));
    assert_eq!(repo.rename(8, "new".to_owned()).await?, None);

    let log = repo.db.into_transaction_log();
    assert_eq!(log.len(), 2, "{log:#?}");
    let sql = |index: usize| -> Vec<String> {
        let words = |sql: &str| sql.split(' ').next().unwrap_or_default().to_owned();
        let statements = log[index].statements().iter();
        statements.map(|statement| words(&statement.sql)).collect()
    };
    assert_eq!(sql(0), ["BEGIN", "SELECT", "INSERT", "UPDATE", "COMMIT"]);
    assert_eq!(sql(1), ["BEGIN", "SELECT", "COMMIT"]);
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_mock_rolls_back() {
    let failure = DbErr::Query(RuntimeErr::Internal("broken".to_owned()));
    let mock = MockDatabase::new(DbBackend::Postgres).append_query_errors([failure]);
    let repo = Bakeries {
        db: ResilientConnection::from(mock.into_connection()),
    };
    let error = repo.add("x").await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::RolledBack);
    assert_eq!(error.method(), Some("Bakeries::add"));
    let log = repo.db.into_transaction_log();
    let last = log[0].statements().last().map(|last| last.sql.clone());
    assert_eq!(last.as_deref(), Some("ROLLBACK"), "{log:#?}");
}
