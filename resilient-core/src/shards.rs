//! Values that threads have for themselves, as far as there are enough: processors that write to
//! one place wait for each other, so what every call writes is kept apart.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How many threads have a value for themselves. More share.
const SHARDS: usize = 16;

/// A thread that has not been given its shard.
const NONE: usize = usize::MAX;

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(NONE) };
}

/// The shard of this thread.
#[inline]
fn shard() -> usize {
    // A thread that is ending uses the first.
    let given = SHARD.try_with(Cell::get).unwrap_or(0);
    if given == NONE { give() } else { given }
}

/// Threads take turns, so that the first ones have shards of their own.
#[cold]
fn give() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    let _ = SHARD.try_with(|given| given.set(shard));
    shard
}

/// A value for each shard, made when a thread of it first asks. A `T` is to be a pointer to
/// something that fills cache lines of its own.
#[derive(Debug)]
pub(crate) struct Shards<T>([OnceLock<T>; SHARDS]);

impl<T> Shards<T> {
    /// This thread's.
    #[inline]
    pub(crate) fn own(&self, make: impl FnOnce() -> T) -> &T {
        let own = &self.0[shard()];
        match own.get() {
            Some(value) => value,
            None => first(own, make),
        }
    }

    /// Those that were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get)
    }
}

#[cold]
fn first<T>(own: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    own.get_or_init(make)
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; SHARDS])
    }
}
