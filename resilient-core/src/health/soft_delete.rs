//! [`SoftDelete`]: how a table says that a row counts as deleted.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use serde::Serialize;

type Text = Cow<'static, str>;

/// What the column says about a row that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// When it was deleted; without a value, it is not.
    Timestamp,
    /// When it was deleted, in seconds or milliseconds since 1970; without a value or with 0, it
    /// is not.
    UnixTime,
    /// That it is deleted, and not when: a boolean.
    Flag,
    /// The same as a number: deleted, unless it is 0 or without a value.
    Number,
}

/// The column of a table by which its rows count as deleted.
///
/// ```
/// use resilient_core::health::soft_delete::{Marker, SoftDelete};
/// let users = SoftDelete::new("users", "deleted_at", Marker::Timestamp);
/// assert_eq!(users.column(), "deleted_at");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SoftDelete {
    entity: Option<Text>,
    database: Option<Text>,
    schema: Option<Text>,
    table: Text,
    column: Text,
    marker: Marker,
}

impl SoftDelete {
    /// A column of a table, in whatever schema the table's bare name means.
    pub fn new(table: impl Into<Text>, column: impl Into<Text>, marker: Marker) -> Self {
        Self {
            entity: None,
            database: None,
            schema: None,
            table: table.into(),
            column: column.into(),
            marker,
        }
    }

    /// Names the entity in reports: `my_app::user::Entity`.
    #[must_use]
    pub fn entity(mut self, path: impl Into<Text>) -> Self {
        self.entity = Some(path.into());
        self
    }

    /// The schema (on MySQL: the database), if the entity names one.
    #[must_use]
    pub fn schema(mut self, schema: Option<impl Into<Text>>) -> Self {
        self.schema = schema.map(Into::into);
        self
    }

    /// Only for the connection of this name, where two databases have a table of one name.
    #[must_use]
    pub fn database(mut self, connection: impl Into<Text>) -> Self {
        self.database = Some(connection.into());
        self
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The schema, if one is named.
    pub fn schema_name(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The connection it is for, if it is for one alone.
    pub fn database_name(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The column's name.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// What the column says.
    pub fn marker(&self) -> Marker {
        self.marker
    }

    /// What reports call it: the entity, else the table.
    pub fn title(&self) -> &str {
        self.entity.as_deref().unwrap_or(&self.table)
    }
}

/// A declaration that is found by being linked: what `#[derive(SoftDelete)]` submits.
#[derive(Debug)]
pub struct Registration(fn() -> SoftDelete);

impl Registration {
    /// For `inventory::submit!`.
    pub const fn new(declare: fn() -> SoftDelete) -> Self {
        Self(declare)
    }
}

inventory::collect!(Registration);

static ALL: LazyLock<RwLock<Arc<[SoftDelete]>>> = LazyLock::new(|| {
    let mut all: Vec<SoftDelete> = inventory::iter::<Registration>()
        .map(|registration| (registration.0)())
        .collect();
    // The linker's order is anybody's guess.
    all.sort_by(|a, b| (&a.table, &a.schema, &a.entity).cmp(&(&b.table, &b.schema, &b.entity)));
    RwLock::new(all.into())
});

/// Adds one by hand, for a table without an entity. Registering the same one again changes
/// nothing.
pub fn register(soft_delete: SoftDelete) {
    let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
    if !all.contains(&soft_delete) {
        *all = all.iter().cloned().chain([soft_delete]).collect();
    }
}

/// Every one of the process, derived and registered.
pub fn declarations() -> Arc<[SoftDelete]> {
    Arc::clone(&ALL.read().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived() -> SoftDelete {
        SoftDelete::new("derived", "gone", Marker::Flag)
            .entity("a::Entity")
            .schema(Some("s"))
    }

    inventory::submit! { Registration::new(derived) }

    #[test]
    fn registered_once_by_whatever_way() {
        let by_hand = SoftDelete::new("by_hand", "deleted_at", Marker::Timestamp).database("d");
        register(by_hand.clone());
        register(by_hand.clone());
        register(derived());
        let all = declarations();
        for one in [by_hand, derived()] {
            assert_eq!(all.iter().filter(|other| **other == one).count(), 1);
        }
        let titles: Vec<&str> = all.iter().map(SoftDelete::title).collect();
        assert_eq!(titles, ["a::Entity", "by_hand"]);
        assert_eq!(all[0].schema_name(), Some("s"));
        assert_eq!(all[1].database_name(), Some("d"));
    }
}
