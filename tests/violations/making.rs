//! The ways of making the same constraints, and the names they get by each.

use resilient_sea_orm::ResilientConnection;
use sea_orm::{ConnectionTrait, DbErr, sea_query::Expr};
use sea_orm_migration::{
    MigrationTrait, SchemaManager,
    prelude::{DeriveMigrationName, ExprTrait, ForeignKey, Index, Table},
    schema::{integer, pk_auto, string},
};
use support::{Engine, TestResult};

use super::entities::{crew, sailor};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `UNIQUE`, `CHECK` and `FOREIGN KEY` without a name.
    Inline,
    /// The same with names of somebody's own.
    Named,
    /// SeaORM's schema builder.
    Builder,
    /// SeaORM's schema sync, onto tables that lack the keys.
    Sync,
    /// A migration.
    Migration,
}

/// What errors call the constraints; `None` where they have no name.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    pub crew: Option<&'static str>,
    pub email: Option<&'static str>,
    pub berth: Option<&'static str>,
    pub age: Option<&'static str>,
    pub crew_id: Option<&'static str>,
}

impl Way {
    pub async fn make(self, db: &ResilientConnection, engine: Engine) -> TestResult {
        match self {
            Self::Builder => {
                let builder = db.get_schema_builder();
                let builder = builder.register(crew::Entity).register(sailor::Entity);
                builder.apply(db).await?;
            }
            Self::Sync => {
                self.create(db, engine).await?;
                let builder = db.get_schema_builder();
                let builder = builder.register(crew::Entity).register(sailor::Entity);
                builder.sync(db).await?;
            }
            Self::Migration => CreateSailors.up(&SchemaManager::new(db)).await?,
            Self::Inline | Self::Named => self.create(db, engine).await?,
        }
        Ok(())
    }

    async fn create(self, db: &ResilientConnection, engine: Engine) -> TestResult {
        let named = |name: &str| match self {
            Self::Named => format!("CONSTRAINT {name} "),
            _ => String::new(),
        };
        let id = match engine {
            Engine::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
            Engine::Postgres => "SERIAL PRIMARY KEY",
            Engine::MariaDb | Engine::MySql => "INT AUTO_INCREMENT PRIMARY KEY",
        };
        let keys = match self {
            Self::Inline => ", UNIQUE (email), UNIQUE (ship, berth)".to_owned(),
            Self::Named => format!(", {}UNIQUE (email)", named("one_address")),
            _ => String::new(),
        };
        let mut statements = vec![
            "CREATE TABLE crew (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL)"
                .into(),
            format!(
                "CREATE TABLE sailor (id {id}, email VARCHAR(100) NOT NULL, \
                 ship INTEGER NOT NULL, berth INTEGER NOT NULL, \
                 age INTEGER NOT NULL {}CHECK (age >= 16), nick VARCHAR(100) NOT NULL, \
                 crew_id INTEGER NOT NULL, \
                 {}FOREIGN KEY (crew_id) REFERENCES crew (id){keys})",
                // MariaDB takes no name for the check of a column.
                if engine == Engine::MariaDb {
                    String::new()
                } else {
                    named("grown_up")
                },
                named("sails_with"),
            ),
        ];
        if self == Self::Named {
            statements.push("CREATE UNIQUE INDEX sleeps_in ON sailor (ship, berth)".to_owned());
        }
        for sql in statements {
            db.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    pub fn names(self, engine: Engine) -> Names {
        let (crew, age) = match engine {
            Engine::Sqlite => (None, Some("age >= 16")),
            Engine::Postgres => (Some("crew_pkey"), Some("sailor_age_check")),
            Engine::MariaDb | Engine::MySql => (Some("PRIMARY"), Some("sailor.age")),
        };
        let names = |email, berth, age, crew_id| Names {
            crew,
            email,
            berth,
            age,
            crew_id,
        };
        match (self, engine) {
            (Self::Inline, Engine::Sqlite) => names(None, None, age, None),
            (Self::Inline, Engine::Postgres) => names(
                Some("sailor_email_key"),
                Some("sailor_ship_berth_key"),
                age,
                Some("sailor_crew_id_fkey"),
            ),
            (Self::Inline, Engine::MariaDb | Engine::MySql) => {
                names(Some("email"), Some("ship"), age, Some("sailor_ibfk_1"))
            }
            (Self::Named, _) => names(
                Some("one_address"),
                Some("sleeps_in"),
                if engine == Engine::MariaDb {
                    age
                } else {
                    Some("grown_up")
                },
                Some("sails_with"),
            ),
            (Self::Builder, _) => names(
                match engine {
                    Engine::Sqlite => None,
                    Engine::Postgres => Some("sailor_email_key"),
                    Engine::MariaDb | Engine::MySql => Some("email"),
                },
                Some("idx-sailor-berth"),
                age,
                // SeaORM leaves it out there.
                (engine != Engine::Sqlite).then_some("fk-sailor-crew_id"),
            ),
            (Self::Sync, _) => names(
                Some("idx-sailor-email"),
                Some("idx-sailor-berth"),
                age,
                match engine {
                    Engine::Sqlite => None,
                    Engine::Postgres => Some("sailor_crew_id_fkey"),
                    Engine::MariaDb | Engine::MySql => Some("sailor_ibfk_1"),
                },
            ),
            (Self::Migration, _) => names(
                Some("uq_sailor_email"),
                Some("uq_sailor_berth"),
                // SQLite takes the quotes at the beginning of `"age" >= 16` for those of a name.
                if engine == Engine::Sqlite {
                    Some("age")
                } else {
                    age
                },
                (engine != Engine::Sqlite).then_some("fk_sailor_crew"),
            ),
        }
    }
}

#[derive(DeriveMigrationName)]
struct CreateSailors;

// The trait leaves the lifetime out, and `async_trait` tells the two ways of writing it apart.
#[allow(elided_lifetimes_in_paths)]
#[async_trait::async_trait]
impl MigrationTrait for CreateSailors {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let crews = Table::create()
            .table("crew")
            .col(integer("id").primary_key())
            .col(string("name"))
            .to_owned();
        manager.create_table(crews).await?;
        let sailors = Table::create()
            .table("sailor")
            .col(pk_auto("id"))
            .col(string("email"))
            .col(integer("ship"))
            .col(integer("berth"))
            .col(integer("age").check(Expr::col("age").gte(16)))
            .col(string("nick"))
            .col(integer("crew_id"))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_sailor_crew")
                    .from("sailor", "crew_id")
                    .to("crew", "id"),
            )
            .to_owned();
        manager.create_table(sailors).await?;
        let unique = |name: &'static str| {
            let mut index = Index::create();
            index.unique().name(name).table("sailor");
            index
        };
        manager
            .create_index(unique("uq_sailor_email").col("email").to_owned())
            .await?;
        manager
            .create_index(
                unique("uq_sailor_berth")
                    .col("ship")
                    .col("berth")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}
