//! Durations as people write them: a number of seconds, or a text with units.

use std::{fmt, time::Duration};

use serde::{Deserializer, Serializer, de};

/// What can be written, for messages.
pub(super) const FORM: &str = "seconds (30, 0.5) or a text with units (\"500ms\", \"1h 30m\")";

/// Reads a text: a plain number is seconds.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    // `f64` reads more than numbers people write, such as "inf" and "1e3".
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain {
        from_f64(text.parse().ok()?)
    } else {
        humantime::parse_duration(text).ok()
    }
}

/// The text that [`parse`] reads back as the same duration.
pub(super) fn text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn from_f64(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

// By reference, as `serde(with)` calls it so.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_duration(*value))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(Visitor)
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        let wrong = || E::invalid_value(de::Unexpected::Signed(seconds), &self);
        u64::try_from(seconds)
            .map(Duration::from_secs)
            .map_err(|_| wrong())
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
        from_f64(seconds).ok_or_else(|| E::invalid_value(de::Unexpected::Float(seconds), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_seconds_and_texts_have_units() {
        for (text, millis) in [
            ("0", 0),
            ("30", 30_000),
            (" 0.5 ", 500),
            ("500ms", 500),
            ("1.5s", 1500),
            ("1h 30m", 5_400_000),
            ("2min", 120_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            ".",
            "1.2.3",
            "-1",
            "inf",
            "NaN",
            "1e3",
            "5 parsecs",
            "s",
            "1e300s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"9".repeat(40)), None, "more than there is");
    }

    #[test]
    fn what_is_written_can_be_read() {
        for nanos in [
            0,
            1,
            999,
            100_000_000,
            3_600_000_000_000,
            86_400_000_000_001,
        ] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse(&text(duration)), Some(duration));
        }
    }
}
