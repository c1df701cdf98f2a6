//! What is wrong with a configuration, all of it at once.

use std::{error::Error, fmt};

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) field: &'static str,
    pub(super) variable: Option<String>,
    pub(super) value: String,
    pub(super) allowed: String,
}

impl Problem {
    /// The field, `section.name`.
    pub fn field(&self) -> &str {
        self.field
    }

    /// The environment variable with its prefix, where the environment was read.
    pub fn variable(&self) -> Option<&str> {
        self.variable.as_deref()
    }

    /// The value as it was given.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would have been right.
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(f, "{variable} ({})", self.field)?,
            None => f.write_str(self.field)?,
        }
        write!(f, " is {:?}; allowed is {}", self.value, self.allowed)
    }
}

/// Why a configuration cannot be used. `Display` lists every problem, with what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
    /// What the configuration library said, which stands alone.
    other: Option<String>,
}

impl ConfigError {
    pub(super) fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        Err(Self {
            problems,
            other: None,
        })
    }

    /// Everything that is wrong.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<::config::ConfigError> for ConfigError {
    fn from(error: ::config::ConfigError) -> Self {
        Self {
            problems: Vec::new(),
            other: Some(error.to_string()),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used: ")?;
        if let Some(other) = &self.other {
            f.write_str(other)?;
        }
        for (i, problem) in self.problems.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl Error for ConfigError {}

/// A variable that looks like one of ours and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub(super) variable: String,
    pub(super) nearest: String,
}

impl Warning {
    /// The variable as it is set.
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// The name that was probably meant, with its prefix.
    pub fn nearest(&self) -> &str {
        &self.nearest
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not known and ignored; did you mean {}?",
            self.variable, self.nearest
        )
    }
}
