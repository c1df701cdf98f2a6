//! Every declaration of the process.

use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::Declaration;

/// A declaration that is found by being linked: what `#[derive(ConstraintMessages)]` submits.
#[derive(Debug)]
pub struct Registration(fn() -> Declaration);

impl Registration {
    /// For `inventory::submit!`.
    pub const fn new(declare: fn() -> Declaration) -> Self {
        Self(declare)
    }
}

inventory::collect!(Registration);

static ALL: LazyLock<RwLock<Arc<[Declaration]>>> = LazyLock::new(|| {
    let mut all: Vec<Declaration> = inventory::iter::<Registration>()
        .map(|registration| (registration.0)())
        .collect();
    // The linker's order is anybody's guess.
    all.sort_by(|a, b| (&a.table, &a.schema, &a.entity).cmp(&(&b.table, &b.schema, &b.entity)));
    RwLock::new(all.into())
});

/// Adds a declaration by hand, for a table without an entity. Registering the same one again
/// changes nothing.
pub fn register(declaration: Declaration) {
    let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
    if !all.contains(&declaration) {
        *all = all.iter().cloned().chain([declaration]).collect();
    }
}

/// Every declaration, derived and registered.
pub fn declarations() -> Arc<[Declaration]> {
    Arc::clone(&ALL.read().unwrap_or_else(PoisonError::into_inner))
}
