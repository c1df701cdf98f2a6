//! Who has which turn, and who waits for it.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// As many callers can come and go at once without meeting, whose keys differ.
const SHARDS: usize = 64;

/// What an empty shard keeps of the memory that a crowd has left.
const KEPT: usize = 64;

/// The lines of all keys that somebody has or waits for. Others take up no memory.
pub(crate) struct Table {
    shards: Box<[Shard]>,
}

type Shard = Mutex<HashMap<u64, Counted>>;

/// A line, and how many have to do with it.
struct Counted {
    line: Arc<Queue>,
    users: usize,
}

/// Those who want one key. Tokio's lock lets them in one after another, in the order in which they
/// came, and forgets who goes away.
#[derive(Default)]
struct Queue {
    door: Arc<AsyncMutex<()>>,
    holder: Mutex<Option<&'static str>>,
}

/// The table of this process.
pub(crate) fn global() -> &'static Arc<Table> {
    static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| Arc::new(Table::of(SHARDS)));
    &TABLE
}

/// One for the few callers inside of another one's turn.
impl Default for Table {
    fn default() -> Self {
        Self::of(1)
    }
}

impl Table {
    fn of(shards: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Shard::default()).collect(),
        }
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, HashMap<u64, Counted>> {
        // There are few shards.
        #[allow(clippy::cast_possible_truncation)]
        let at = key as usize % self.shards.len();
        // Nothing panics while the lock is held.
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes to a key's line.
    pub(crate) fn come(self: &Arc<Self>, key: u64) -> Visit {
        let mut shard = self.shard(key);
        let counted = shard.entry(key).or_insert_with(|| Counted {
            line: Arc::default(),
            users: 0,
        });
        counted.users += 1;
        Visit {
            line: Arc::clone(&counted.line),
            table: Arc::clone(self),
            key,
        }
    }

    /// For how many there is room.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        let room = |shard: &Shard| shard.lock().map_or(0, |shard| shard.capacity());
        self.shards.iter().map(room).sum()
    }

    /// How many keys somebody has or waits for.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let count = |shard: &Shard| shard.lock().map_or(0, |shard| shard.len());
        self.shards.iter().map(count).sum()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// Somebody at a key's line. Dropping it leaves the line, and the line goes with the last.
pub(crate) struct Visit {
    table: Arc<Table>,
    key: u64,
    line: Arc<Queue>,
}

impl Visit {
    /// The turn, if nobody has it or waits for it.
    ///
    /// # Errors
    /// The visit, to wait with.
    pub(crate) fn try_enter(self, who: Option<&'static str>) -> Result<Place, Self> {
        match Arc::clone(&self.line.door).try_lock_owned() {
            Ok(door) => Ok(Place::new(self, door, who)),
            Err(_) => Err(self),
        }
    }

    /// Waits for the turn.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line; a turn that had just come is passed on.
    pub(crate) async fn enter(self, who: Option<&'static str>) -> Place {
        let door = Arc::clone(&self.line.door).lock_owned().await;
        Place::new(self, door, who)
    }

    /// What reads the name of the method that has the turn, if that is known.
    pub(crate) fn holder(&self) -> impl Fn() -> Option<&'static str> + Send + use<> {
        let line = Arc::clone(&self.line);
        move || *line.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut shard = self.table.shard(self.key);
        let Entry::Occupied(mut counted) = shard.entry(self.key) else {
            return;
        };
        counted.get_mut().users -= 1;
        if counted.get().users == 0 {
            counted.remove();
            if shard.is_empty() && shard.capacity() > KEPT {
                shard.shrink_to(KEPT);
            }
        }
    }
}

/// A turn that has come. Dropping it passes it on.
pub(crate) struct Place {
    /// Before the visit, so that the next one is let in while the line is still there.
    _door: OwnedMutexGuard<()>,
    _visit: Visit,
}

impl Place {
    fn new(visit: Visit, door: OwnedMutexGuard<()>, who: Option<&'static str>) -> Self {
        let mut holder = visit
            .line
            .holder
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *holder = who;
        drop(holder);
        Self {
            _door: door,
            _visit: visit,
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}
