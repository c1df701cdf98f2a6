//! [`Schema`]: what a pool's connections have learnt about their database's constraints.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use resilient_core::{
    constraint::{Catalogue, Table},
    driver::Context,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};

use super::catalogue::{Which, load};
use crate::keywords;

/// How long what was read of a catalogue is believed. DDL through the same pool ends it at once;
/// this is for DDL by others.
const BELIEVED_FOR: Duration = Duration::from_mins(1);

/// The tables that violations were about, read once and kept for a while.
#[derive(Debug)]
pub(crate) struct Schema {
    /// The connection's name, in metrics and declarations.
    pub(crate) name: String,
    pub(crate) connection: DatabaseConnection,
    cache: Mutex<Cache>,
}

/// A schema, if it was named, and a table.
type Name = (Option<String>, String);

#[derive(Debug, Default)]
struct Cache {
    /// Grows with each change of the schema, so that what was read before one is not kept after.
    generation: u64,
    tables: HashMap<Name, (Instant, Arc<Table>)>,
    /// All of an SQLite schema, with its `schema_version`.
    whole: Option<(i64, Arc<Catalogue>)>,
}

impl Schema {
    pub(crate) fn new(context: &Context, connection: DatabaseConnection) -> Self {
        Self {
            name: context.name().to_owned(),
            connection,
            cache: Mutex::default(),
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement has done well; if it changed the schema, what was read of it is forgotten.
    /// Answers whether it did.
    pub(crate) fn note(&self, sql: &str) -> bool {
        let changes = keywords::changes_schema(sql);
        if changes {
            self.forget();
        }
        changes
    }

    /// Forgets what was read.
    pub(crate) fn forget(&self) {
        let mut cache = self.cache();
        cache.generation += 1;
        cache.tables.clear();
        cache.whole = None;
    }

    /// A table, if it has been read lately.
    pub(crate) fn known(&self, schema: Option<&str>, table: &str) -> Option<Arc<Table>> {
        let cache = self.cache();
        let key = (schema.map(str::to_owned), table.to_owned());
        let (read, table) = cache.tables.get(&key)?;
        (read.elapsed() < BELIEVED_FOR).then(|| Arc::clone(table))
    }

    /// A table, read anew.
    pub(crate) async fn read(
        &self,
        db: &impl ConnectionTrait,
        schema: Option<&str>,
        table: &str,
    ) -> Result<Option<Arc<Table>>, DbErr> {
        let generation = self.cache().generation;
        let catalogue = load(db, Which::Tables(&[(schema, table)])).await?;
        let found = catalogue.table(schema, table).cloned().map(Arc::new);
        let mut cache = self.cache();
        if let Some(table) = &found
            && cache.generation == generation
        {
            let key = (schema.map(str::to_owned), table.name.clone());
            cache
                .tables
                .insert(key, (Instant::now(), Arc::clone(table)));
        }
        Ok(found)
    }

    /// All of the schema, for an engine that numbers its versions.
    pub(crate) async fn whole(
        &self,
        db: &impl ConnectionTrait,
        version: i64,
    ) -> Result<Arc<Catalogue>, DbErr> {
        let generation = {
            let cache = self.cache();
            match &cache.whole {
                Some((known, catalogue)) if *known == version => return Ok(Arc::clone(catalogue)),
                _ => cache.generation,
            }
        };
        let catalogue = Arc::new(load(db, Which::All).await?);
        let mut cache = self.cache();
        if cache.generation == generation {
            cache.whole = Some((version, Arc::clone(&catalogue)));
        }
        Ok(catalogue)
    }

    /// Which schema is read from now on, for [`learn`](Self::learn).
    pub(crate) fn generation(&self) -> u64 {
        self.cache().generation
    }

    /// Keeps what was read for another purpose, unless the schema has changed meanwhile.
    pub(crate) fn learn(&self, catalogue: &Catalogue, generation: u64) {
        let mut cache = self.cache();
        if cache.generation != generation {
            return;
        }
        for table in &catalogue.tables {
            let entry = (Instant::now(), Arc::new(table.clone()));
            if table.visible {
                cache
                    .tables
                    .insert((None, table.name.clone()), entry.clone());
            }
            cache
                .tables
                .insert((table.schema.clone(), table.name.clone()), entry);
        }
    }
}
