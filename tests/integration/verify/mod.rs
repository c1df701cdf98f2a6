//! What is declared, compared with what real schemas have.

mod catalogue;
mod drift;
mod engines;
mod names;

use resilient_sea_orm::{
    __private, ResilientConnection,
    constraint::{Catalogue, Table},
};
use sea_orm::ConnectionTrait;
use support::{Engine, TestDb};

use crate::bank::unique_name;

/// An empty database, and a connection of a name that no other test has.
pub struct Schema {
    pub test: TestDb,
    pub db: ResilientConnection,
}

impl Schema {
    pub async fn new(engine: Engine) -> Self {
        let test = TestDb::new(engine).await.expect("a database");
        let db = ResilientConnection::builder(test.url())
            .name(unique_name())
            .connect()
            .await
            .expect("connects");
        Self { test, db }
    }

    pub async fn with(engine: Engine, statements: &[&str]) -> Self {
        let schema = Self::new(engine).await;
        schema.run(statements).await;
        schema
    }

    pub async fn run(&self, statements: &[&str]) {
        for sql in statements {
            self.test.admin().execute_unprepared(sql).await.expect(sql);
        }
    }

    pub async fn catalogue(&self) -> Catalogue {
        __private::catalogue(&self.db, None).await.expect("loaded")
    }

    pub async fn table(&self, name: &str) -> Table {
        let catalogue = self.catalogue().await;
        catalogue.table(None, name).expect(name).clone()
    }
}

/// A table's constraints, one text for each, in order of the alphabet.
pub fn shown(table: &Table) -> Vec<String> {
    let mut all: Vec<String> = table
        .constraints
        .iter()
        .map(|c| {
            let name = c.name.as_deref().unwrap_or("-");
            let marks = [
                (c.primary, " primary"),
                (c.expression, " expression"),
                (c.partial, " partial"),
            ];
            let marks: String = marks.iter().filter(|m| m.0).map(|m| m.1).collect();
            let parent = c.references.as_ref();
            let parent = parent.map(|p| format!(" -> {} ({})", p.table, p.columns.join(", ")));
            let columns = c.columns.join(", ");
            format!(
                "{} {name} ({columns}){marks}{}",
                c.kind,
                parent.unwrap_or_default()
            )
        })
        .collect();
    all.sort();
    all
}
