//! What each setting may be: the same rules for the environment, files and code.

use std::time::Duration;

use ::config::{Value, ValueKind};

use super::{Config, ConfigError, Problem, VARIABLES, seconds};

/// What a setting holds, and within which bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// On or off.
    Flag,
    /// A whole number from the first to the second.
    Count(u32, u32),
    /// A duration; `zero` if that has a meaning.
    Time { zero: bool, max_days: u32 },
    /// A share, from 0 to 1.
    Ratio,
    /// Any text but an empty one.
    Text,
}

const DAY: Duration = Duration::from_hours(24);

impl Kind {
    /// What is allowed, for messages.
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Flag => "true, yes, on, 1, false, no, off or 0".to_owned(),
            Self::Count(min, u32::MAX) => format!("a whole number from {min}"),
            Self::Count(min, max) => format!("a whole number from {min} to {max}"),
            Self::Time { zero, max_days } => {
                let from = if zero { "from 0" } else { "above 0" };
                format!("{}, {from} and at most {max_days} days", seconds::FORM)
            }
            Self::Ratio => "a share from 0 to 1, or a percentage (\"25%\")".to_owned(),
            Self::Text => "a text that is not empty".to_owned(),
        }
    }

    /// The unit, for the documentation.
    #[cfg(test)]
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Flag => "on or off",
            Self::Count(..) => "count",
            Self::Time { .. } => "seconds",
            Self::Ratio => "share or %",
            Self::Text => "text",
        }
    }

    /// The value that a text stands for, or `None` if it is not allowed.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        let text = text.trim();
        let kind: ValueKind = match self {
            // The words are the library's own.
            Self::Flag => Value::from(text).into_bool().ok()?.into(),
            Self::Count(min, max) => {
                let digits = text.bytes().all(|b| b.is_ascii_digit());
                let count: u32 = text.parse().ok().filter(|_| digits)?;
                (min..=max).contains(&count).then_some(count)?.into()
            }
            Self::Time { zero, max_days } => {
                let time = seconds::parse(text)?;
                let fits = (zero || !time.is_zero()) && time <= DAY * max_days;
                fits.then(|| seconds::text(time))?.into()
            }
            Self::Ratio => {
                let share = match text.strip_suffix('%') {
                    Some(percent) => percent.trim_end().parse::<f64>().ok()? / 100.0,
                    None => text.parse().ok()?,
                };
                (0.0..=1.0).contains(&share).then_some(share)?.into()
            }
            Self::Text => (!text.is_empty()).then(|| text.to_owned())?.into(),
        };
        Some(Value::new(None, kind))
    }
}

/// Checks every field, and those that must fit together. With a `prefix`, fields are named by
/// their variables too.
pub(super) fn validate(config: &Config, prefix: Option<&str>) -> Result<(), ConfigError> {
    let tree = ::config::Config::try_from(config)?;
    let mut problems: Vec<Problem> = Vec::new();
    let mut seen = Vec::new();
    for variable in VARIABLES {
        for &field in variable.fields {
            if seen.contains(&field) {
                continue;
            }
            seen.push(field);
            let value = tree.get_string(field)?;
            if variable.kind.read(&value).is_none() {
                problems.push(Problem {
                    field,
                    variable: prefix.map(|prefix| format!("{prefix}{}", variable.name)),
                    value,
                    allowed: variable.kind.allowed(),
                });
            }
        }
    }
    let retry = &config.retry;
    if retry.max_delay < retry.base_delay {
        let base = match prefix {
            Some(prefix) => format!("{prefix}DB_RETRY_BASE_DELAY"),
            None => "retry.base_delay".to_owned(),
        };
        problems.push(Problem {
            field: "retry.max_delay",
            variable: prefix.map(|prefix| format!("{prefix}DB_RETRY_MAX_DELAY")),
            value: seconds::text(retry.max_delay),
            allowed: format!(
                "at least {base}, which is {}",
                seconds::text(retry.base_delay)
            ),
        });
    }
    ConfigError::check(problems)
}
