//! What turns are taken by.

use std::{
    fmt,
    hash::{BuildHasher as _, DefaultHasher, Hash, Hasher, RandomState},
    sync::LazyLock,
};

/// A value that names one key, or several.
///
/// Whatever is [`Hash`] names one: a number, a string, an id of the caller's own type, a tuple.
/// [`each`] makes every element of a collection one.
///
/// Keys are told apart by what their values write when they are hashed, not by their type, their
/// place or the method that names them: `from` and `to` share one space of keys, and so do `5_i32`
/// and `5_i64`. Values of two kinds that happen to be equal, as the ids of an order and of an
/// account, wait for each other without need; put a word before them to tell them apart:
/// `("order", id)`. The same key on two databases is two keys.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key of `serialize_by`",
    label = "a key must implement `Hash`",
    note = "name what tells the rows apart, for example an id, or each of a collection's elements \
            with `each(..)`"
)]
pub trait TurnKey {
    /// Adds the key, or the keys.
    fn add_to(&self, keys: &mut TurnKeys);
}

impl<T: Hash + ?Sized> TurnKey for T {
    fn add_to(&self, keys: &mut TurnKeys) {
        keys.insert(hash(self));
    }
}

/// Every element as a key of its own; see [`each`].
#[derive(Clone, Copy, Debug)]
pub struct Each<I>(I);

/// Makes every element of a collection a key, where the collection itself would be one:
/// `serialize_by = each(&account_ids)`.
pub fn each<I>(keys: I) -> Each<I>
where
    I: IntoIterator + Clone,
    I::Item: Hash,
{
    Each(keys)
}

impl<I> TurnKey for Each<I>
where
    I: IntoIterator + Clone,
    I::Item: Hash,
{
    fn add_to(&self, keys: &mut TurnKeys) {
        for key in self.0.clone() {
            keys.insert(hash(&key));
        }
    }
}

/// The keys of one call, sorted, each of them once.
///
/// ```
/// use resilient_core::turns::{TurnKeys, each};
///
/// let (from, to) = (7_i64, 3_i64);
/// let keys = TurnKeys::new().and(&from).and(&to);
/// assert_eq!(keys.len(), 2);
/// assert_eq!(keys, TurnKeys::new().and(&each([3, 7, 3])));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TurnKeys(Vec<u64>);

impl TurnKeys {
    /// No keys.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// These and `key`.
    #[must_use]
    pub fn and<K: TurnKey + ?Sized>(mut self, key: &K) -> Self {
        key.add_to(&mut self);
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn insert(&mut self, hash: u64) {
        if let Err(at) = self.0.binary_search(&hash) {
            self.0.insert(at, hash);
        }
    }

    /// Whether all of `others` are among these.
    pub(crate) fn contain(&self, others: &Self) -> bool {
        others.0.iter().all(|key| self.0.binary_search(key).is_ok())
    }

    pub(crate) fn join(&mut self, others: &Self) {
        for key in &others.0 {
            self.insert(*key);
        }
    }

    /// The same within a database, in the order in which they are taken.
    pub(crate) fn of_database(&self, database: u64) -> Vec<u64> {
        let mut keys: Vec<u64> = self.0.iter().map(|key| mix(*key, database)).collect();
        keys.sort_unstable();
        keys
    }
}

/// Without the keys, which may be told from their hashes.
impl fmt::Debug for TurnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TurnKeys").field(&self.len()).finish()
    }
}

/// The key of a value, the same all over this process and in no other, so that nobody can choose
/// values that collide.
pub(crate) fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let mut hasher = Widening(STATE.build_hasher());
    value.hash(&mut hasher);
    hasher.finish()
}

/// Spreads a database's number over a key.
pub(crate) fn mix(key: u64, database: u64) -> u64 {
    // The finaliser of SplitMix64.
    let mut z = key ^ database.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hashes equal numbers of different types to the same: two methods may give one id different
/// widths, and would not wait for each other.
struct Widening(DefaultHasher);

macro_rules! widened {
    ($($name:ident: $type:ty),*) => {$(
        fn $name(&mut self, number: $type) {
            self.0.write_i128(number as i128);
        }
    )*};
}

#[allow(clippy::cast_possible_wrap, clippy::cast_lossless)]
impl Hasher for Widening {
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    widened! {
        write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128,
        write_usize: usize, write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64,
        write_isize: isize
    }

    fn write_i128(&mut self, number: i128) {
        self.0.write_i128(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_value_whatever_its_type_and_place() {
        #[derive(Hash)]
        struct AccountId(i64);
        for same in [
            hash(&5_i64),
            hash(&5_i32),
            hash(&5_u8),
            hash(&5_usize),
            hash(&AccountId(5)),
            hash(&&5_i128),
        ] {
            assert_eq!(same, hash(&5_u64));
        }
        assert_eq!(hash(&-1_i32), hash(&-1_i64));
        assert_eq!(hash("a"), hash(&"a".to_owned()));
        assert_ne!(hash(&5), hash(&6));
        assert_ne!(hash("5"), hash(&5));
        assert_ne!(hash(&("order", 5)), hash(&("account", 5)));
        assert_ne!(mix(hash(&5), 1), mix(hash(&5), 2));
    }

    #[test]
    fn keys_are_sorted_and_taken_once() {
        let keys = TurnKeys::new().and(&2).and(&1).and(&2).and(&each(&[1, 3]));
        assert_eq!(keys, TurnKeys::new().and(&3).and(&each(vec![1, 2])));
        let ordered = keys.of_database(7);
        assert!(ordered.is_sorted() && ordered.len() == 3);
        assert!(keys.contain(&TurnKeys::new().and(&3)));
        assert!(!keys.contain(&TurnKeys::new().and(&4)));
        // The elements, not the collection.
        assert_ne!(keys, TurnKeys::new().and(&[1, 2, 3]));
        assert_eq!(format!("{keys:?}"), "TurnKeys(3)");
    }
}
