//! Names that are longer than PostgreSQL keeps.

use resilient_sea_orm::ResilientConnection;
use sea_orm::{ActiveModelTrait, EntityTrait, Set};
use support::{TestDb, TestResult};

mod long {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "measurements_of_the_northern_observatory")]
    #[constraint(database = "long names")]
    #[constraint(unique(
        columns(first_observed_by_the_instrument, second),
        name = "idx-measurements_of_the_northern_observatory-first_observed_and_second",
        code = "named"
    ))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        #[constraint(unique(code = "inline"))]
        pub number_in_the_catalogue_of_the_observatory: i32,
        #[sea_orm(unique_key = "first_observed_and_second")]
        pub first_observed_by_the_instrument: i32,
        #[sea_orm(unique_key = "first_observed_and_second")]
        pub second: i32,
        #[constraint(foreign_key(code = "parent"))]
        pub follows_the_measurement_that_was_made_before: Option<i32>,
        #[sea_orm(
            self_ref,
            relation_enum = "Before",
            from = "follows_the_measurement_that_was_made_before",
            to = "id"
        )]
        pub before: HasOne<Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn measurement(number: i32) -> long::ActiveModel {
    long::ActiveModel {
        number_in_the_catalogue_of_the_observatory: Set(number),
        first_observed_by_the_instrument: Set(number),
        second: Set(number),
        ..Default::default()
    }
}

#[tokio::test]
async fn cut_off_names_are_known_on_postgres() -> TestResult {
    let test = TestDb::new(support::Engine::Postgres).await?;
    let mut options = sea_orm::ConnectOptions::new(test.url());
    options.max_connections(4).sqlx_logging(false);
    let builder = ResilientConnection::builder(options).name("long names");
    let db = builder.connect().await?;
    let schema = db.get_schema_builder().register(long::Entity);
    schema.apply(&db).await?;
    // The other entities of these tests have no tables here.
    let report = db.verify_constraints().await?;
    let mut findings = report.findings.iter();
    assert!(
        findings.all(|f| f.table == "crew" || f.table == "sailor"),
        "{report}"
    );
    measurement(1).insert(&db).await?;
    let mut inline = measurement(2);
    inline.number_in_the_catalogue_of_the_observatory = Set(1);
    let mut named = measurement(3);
    named.first_observed_by_the_instrument = Set(1);
    named.second = Set(1);
    let mut parent = measurement(4);
    parent.follows_the_measurement_that_was_made_before = Set(Some(77));
    // With the catalogue, and without: a pool that has no other connection to ask.
    let mut lonely = sea_orm::ConnectOptions::new(test.url());
    lonely.max_connections(1).sqlx_logging(false);
    let builder = ResilientConnection::builder(lonely).name("long names");
    let lonely = builder.connect().await?;
    for (model, code) in [(inline, "inline"), (named, "named"), (parent, "parent")] {
        for db in [&db, &lonely] {
            let failed = db.transact(resilient_sea_orm::TransactOptions::new(), || async {
                let error = long::Entity::insert(model.clone())
                    .exec(db)
                    .await
                    .unwrap_err();
                Err::<(), _>(resilient_sea_orm::Error::from(error))
            });
            let error = failed.await.unwrap_err();
            let violation = error.violation().expect("a violation");
            assert!(
                violation.constraint().is_some_and(|name| name.len() == 63),
                "{violation:?}"
            );
            assert_eq!(violation.code(), code, "{violation:?}");
        }
    }
    Ok(())
}
