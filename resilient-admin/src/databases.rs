//! [`Databases`]: several by name.

use std::sync::Arc;

use resilient_core::health::{Source, Sources};

/// Databases by name, in the order in which they were added; the first is the default.
///
/// For databases that come and go there is the adapter's own manager.
#[derive(Clone, Debug, Default)]
pub struct Databases(Vec<(String, Arc<dyn Source>)>);

impl Databases {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a database, or puts it in the place of the one that had this name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, source: impl Source) -> Self {
        let (name, source) = (name.into(), Arc::new(source) as Arc<dyn Source>);
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = source,
            None => self.0.push((name, source)),
        }
        self
    }
}

impl Sources for Databases {
    fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    fn source(&self, name: &str) -> Option<Arc<dyn Source>> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, source)| Arc::clone(source))
    }
}
