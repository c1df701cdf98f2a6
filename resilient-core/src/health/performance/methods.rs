//! The windows of a database's methods, found without a lock.

use std::sync::OnceLock;

use super::Window;

/// How many methods are told apart; the rest share one window.
const PLACES: usize = 2048;

/// What does not fit.
const OTHERS: &str = "(others)";

#[derive(Debug)]
struct Entry {
    name: &'static str,
    window: Box<Window>,
}

/// An open hash table that only grows. Names are told apart by their address: each is made once
/// by the registry.
#[derive(Debug)]
pub(super) struct Methods {
    places: Box<[OnceLock<Entry>]>,
    others: OnceLock<Entry>,
}

impl Default for Methods {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            others: OnceLock::new(),
        }
    }
}

impl Methods {
    /// The window of a method, made at its first call.
    pub(super) fn window(&self, name: &'static str) -> &Window {
        let make = |name| Entry {
            name,
            window: Box::default(),
        };
        let address = name.as_ptr().addr();
        // Leaked strings lie at multiples of their allocator's grain.
        let start = address.wrapping_mul(0x9E37_79B9) >> 8;
        for step in 0..PLACES {
            let place = &self.places[(start + step) % PLACES];
            let entry = place.get_or_init(|| make(name));
            if std::ptr::eq(entry.name, name) {
                return &entry.window;
            }
        }
        &self.others.get_or_init(|| make(OTHERS)).window
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &Window)> {
        self.places
            .iter()
            .chain(std::iter::once(&self.others))
            .filter_map(OnceLock::get)
            .map(|entry| (entry.name, &*entry.window))
    }
}
