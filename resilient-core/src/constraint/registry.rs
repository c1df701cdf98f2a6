//! Every declaration of the process.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock},
};

use super::{Declaration, matching::Subject, names};
use crate::ConstraintKind;

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

static ALL: LazyLock<RwLock<Registry>> = LazyLock::new(|| {
    let mut all: Vec<Declaration> = inventory::iter::<Registration>()
        .map(|registration| (registration.0)())
        .collect();
    // The linker's order is anybody's guess.
    all.sort_by(|a, b| (&a.table, &a.schema, &a.entity).cmp(&(&b.table, &b.schema, &b.entity)));
    let mut registry = Registry::default();
    for declaration in all {
        registry.push(Arc::new(declaration));
    }
    RwLock::new(registry)
});

/// Adds a declaration by hand, for a table without an entity. Registering the same one again
/// changes nothing.
pub fn register(declaration: Declaration) {
    let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
    all.register(declaration);
}

/// Every declaration, derived and registered.
pub fn declarations() -> Arc<[Declaration]> {
    ALL.read().unwrap_or_else(PoisonError::into_inner).list()
}

/// The declarations that may have something to say about a constraint.
pub(super) fn about(subject: &Subject<'_>) -> Vec<Arc<Declaration>> {
    ALL.read()
        .unwrap_or_else(PoisonError::into_inner)
        .about(subject)
}

/// Declarations, found by what a violation tells: however many there are, only those of its tables
/// are looked at.
#[derive(Debug, Default)]
pub(super) struct Registry {
    all: Vec<Arc<Declaration>>,
    /// By the table's name in small letters.
    by_table: HashMap<String, Vec<usize>>,
    /// By what PostgreSQL keeps of a check's name: a domain's has no table.
    checks: HashMap<String, Vec<usize>>,
    /// All of them, once somebody has asked.
    list: OnceLock<Arc<[Declaration]>>,
}

impl Registry {
    pub(super) fn register(&mut self, declaration: Declaration) {
        let table = declaration.table.to_ascii_lowercase();
        let known = self.by_table.get(&table).into_iter().flatten();
        if known.into_iter().all(|n| *self.all[*n] != declaration) {
            self.push(Arc::new(declaration));
        }
    }

    fn push(&mut self, declaration: Arc<Declaration>) {
        let number = self.all.len();
        let table = declaration.table.to_ascii_lowercase();
        self.by_table.entry(table).or_default().push(number);
        for rule in declaration.rules() {
            if let (ConstraintKind::Check, Some(name)) = (rule.kind, &rule.name) {
                let name = names::clipped(name).to_owned();
                self.checks.entry(name).or_default().push(number);
            }
        }
        self.all.push(declaration);
        self.list.take();
    }

    fn list(&self) -> Arc<[Declaration]> {
        let all = || self.all.iter().map(|one| (**one).clone()).collect();
        Arc::clone(self.list.get_or_init(all))
    }

    pub(super) fn about(&self, subject: &Subject<'_>) -> Vec<Arc<Declaration>> {
        let on = |table: &str| self.by_table.get(&table.to_ascii_lowercase());
        let mut found: Vec<usize> = [subject.table, subject.referenced_table]
            .into_iter()
            .flatten()
            .filter_map(on)
            .flatten()
            .copied()
            .collect();
        if let (None, Some(name)) = (subject.table, subject.name) {
            found.extend(self.checks.get(names::clipped(name)).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .map(|n| Arc::clone(&self.all[n]))
            .collect()
    }
}
