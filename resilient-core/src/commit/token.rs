//! [`CommitToken`]: what a verified transaction is known by.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
    time::Duration,
};

use serde::{Serialize, Serializer};

use crate::time::unix_ms;

/// The name of one attempt to commit: made once per call, outside of its attempts, and numbered
/// by them.
///
/// 128 bits: 48 of the time in milliseconds since 1970, so that markers sort by age; 64 that are
/// random, from the standard library's keys, which the operating system seeds; and the number of
/// the attempt. As text it is 32 hexadecimal digits.
///
/// ```
/// use resilient_core::commit::CommitToken;
/// let token = CommitToken::new();
/// assert_eq!(token.to_string().parse(), Ok(token));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitToken(u128);

impl CommitToken {
    /// One that no other call has.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        // Each state has keys of its own, so equal input gives different output.
        let random = RandomState::new().hash_one(0_u8);
        Self::of(unix_ms(), random)
    }

    fn of(ms: u64, random: u64) -> Self {
        Self(u128::from(ms) << 80 | u128::from(random) << 16)
    }

    /// The call's token for one of its attempts, from 1.
    #[must_use]
    pub fn attempt(self, number: u32) -> Self {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        Self(self.0 & !u128::from(u16::MAX) | u128::from(number))
    }

    /// The bytes that are stored; they sort as the tokens do.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Milliseconds since it was made, by this machine's clock.
    pub fn age_ms(self) -> u64 {
        let made = u64::try_from(self.0 >> 80).unwrap_or(u64::MAX);
        unix_ms().saturating_sub(made)
    }

    /// How far in the future it was made, by this machine's clock.
    pub(crate) fn ahead(self) -> Duration {
        let made = u64::try_from(self.0 >> 80).unwrap_or(u64::MAX);
        Duration::from_millis(made.saturating_sub(unix_ms()))
    }

    /// The least token that can have been made so many milliseconds ago or later.
    pub fn bound(age_ms: u64) -> Self {
        Self::of(unix_ms().saturating_sub(age_ms), 0)
    }
}

impl fmt::Display for CommitToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for CommitToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitToken({self})")
    }
}

impl Serialize for CommitToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTokenError(());

impl fmt::Display for ParseTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a commit token: 32 hexadecimal digits are expected")
    }
}

impl std::error::Error for ParseTokenError {}

impl FromStr for CommitToken {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let parsed = digits
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten();
        parsed.map(Self).ok_or(ParseTokenError(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_differ_also_between_threads_and_within_a_millisecond() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..5_000).map(|_| CommitToken::new().0).collect()))
            .collect();
        let all: Vec<u128> = threads
            .into_iter()
            .flat_map(|t| -> Vec<u128> { t.join().unwrap() })
            .collect();
        let random: HashSet<_> = all.iter().map(|t| t >> 16 & u128::from(u64::MAX)).collect();
        assert_eq!(random.len(), all.len());
    }

    #[test]
    fn attempts_share_a_token_but_for_its_end() {
        let token = CommitToken::new();
        assert_ne!(token.attempt(1), token.attempt(2));
        assert_eq!(token.attempt(7).0 >> 16, token.0 >> 16);
        assert_eq!(token.attempt(1_000_000).to_bytes()[14..], [0xff, 0xff]);
    }

    #[test]
    fn bytes_sort_by_age() {
        let (old, new) = (CommitToken::of(5, u64::MAX), CommitToken::of(6, 0));
        assert!(old.attempt(9).to_bytes() < new.to_bytes());
        assert!(CommitToken::bound(60_000) < CommitToken::new());
        assert!(CommitToken::new().age_ms() < 60_000);
    }

    #[test]
    fn a_token_is_ahead_by_as_much_as_it_was_made_in_the_future() {
        assert_eq!(CommitToken::of(5, 0).ahead(), Duration::ZERO);
        let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
        let ahead = CommitToken::of(unix_ms() + 3_600_000, 0).attempt(9).ahead();
        assert!(ahead <= hour && ahead + minute > hour, "{ahead:?}");
        let last: CommitToken = "f".repeat(32).parse().unwrap();
        assert!(last.ahead() > hour && last.age_ms() == 0);
    }

    #[test]
    fn text_that_is_no_token_is_refused() {
        for text in [
            "",
            "12",
            "+0000000000000000000000000000001",
            &"g".repeat(32),
        ] {
            assert!(text.parse::<CommitToken>().is_err(), "{text}");
        }
    }
}
