//! Durations as users write them: `"2s"`, `"500ms"`, `"1.5s"`.

use std::fmt;

/// The units, with their length in nanoseconds.
const UNITS: &[(&str, u128)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Why a text is not a usable duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DurationError {
    /// Not a number followed by a unit.
    Form,
    /// A number without a unit.
    NoUnit,
    /// A unit that is not known.
    Unit,
    /// Nothing, or less than a nanosecond.
    Zero,
    /// More than 64 bits of nanoseconds.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is not a duration",
            Self::NoUnit => "has no unit",
            Self::Unit => "has an unknown unit",
            Self::Zero => "is zero",
            Self::TooLong => "is too long",
        })
    }
}

/// The nanoseconds of a duration, never zero.
pub(crate) fn parse(text: &str) -> Result<u64, DurationError> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.ends_with('.')) {
        return Err(DurationError::Form);
    }
    let unit = unit.trim();
    if unit.is_empty() {
        return Err(DurationError::NoUnit);
    }
    let (_, scale) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(DurationError::Unit)?;

    let whole: u128 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let mut nanos = whole.checked_mul(*scale).ok_or(DurationError::TooLong)?;
    let mut scale = *scale;
    for digit in fraction.bytes() {
        scale /= 10;
        nanos = nanos
            .checked_add(u128::from(digit - b'0') * scale)
            .ok_or(DurationError::TooLong)?;
    }
    match u64::try_from(nanos) {
        Ok(0) => Err(DurationError::Zero),
        Ok(nanos) => Ok(nanos),
        Err(_) => Err(DurationError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_units() {
        assert_eq!(parse("2s"), Ok(2_000_000_000));
        assert_eq!(parse("500ms"), Ok(500_000_000));
        assert_eq!(parse("10us"), Ok(10_000));
        assert_eq!(parse("10 µs"), Ok(10_000));
        assert_eq!(parse("1m"), Ok(60_000_000_000));
        assert_eq!(parse("1.5s"), Ok(1_500_000_000));
        assert_eq!(parse("0.25h"), Ok(900_000_000_000));
    }

    #[test]
    fn refuses_everything_else() {
        assert_eq!(parse(""), Err(DurationError::Form));
        assert_eq!(parse("s"), Err(DurationError::Form));
        assert_eq!(parse("-1s"), Err(DurationError::Form));
        assert_eq!(parse("1.s"), Err(DurationError::Form));
        assert_eq!(parse("1.2.3s"), Err(DurationError::Form));
        assert_eq!(parse("2"), Err(DurationError::NoUnit));
        assert_eq!(parse("2 parsecs"), Err(DurationError::Unit));
        assert_eq!(parse("0s"), Err(DurationError::Zero));
        assert_eq!(parse("0.1ns"), Err(DurationError::Zero));
        assert_eq!(parse("9999999999h"), Err(DurationError::TooLong));
        assert_eq!(parse(&"9".repeat(60)), Err(DurationError::NoUnit));
    }
}
