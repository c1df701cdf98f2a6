//! [`Environment`]: variables by name, of this process or given.

use std::{collections::BTreeMap, ffi::OsString, fmt};

use super::{Config, ConfigError, Problem, VARIABLES, Warning, check::validate};

/// Variables by name, with the prefix that ours have.
///
/// An empty variable counts as not set. `Debug` shows no values, as an environment holds secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    prefix: String,
}

/// What an [`Environment`] said.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// The base with the environment's values over it.
    pub config: Config,
    /// Variables that look like misspelt ones of ours.
    pub warnings: Vec<Warning>,
}

impl Environment {
    /// The environment of this process, as it is now.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        Self {
            variables,
            prefix: String::new(),
        }
    }

    /// The given variables and no others.
    pub fn of<N: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            prefix: String::new(),
        }
    }

    /// What stands before each variable, to the letter: `"APP_"` for `APP_DB_POOL_SIZE`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The full name of a variable of ours.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The value of a variable of ours, if it is set to a text that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(&self.name(name))?
            .to_str()
            .filter(|text| !text.trim().is_empty())
    }

    /// Lays the variables over a configuration.
    ///
    /// # Errors
    /// Every variable whose value cannot be used, with what is allowed.
    pub fn load(&self, base: &Config) -> Result<Loaded, ConfigError> {
        let mut problems = Vec::new();
        let mut layers = ::config::Config::builder().add_source(::config::Config::try_from(base)?);
        for variable in VARIABLES {
            let name = self.name(variable.name);
            let Some(given) = self.variables.get(&name).filter(|v| !blank(v)) else {
                continue;
            };
            match given.to_str().and_then(|text| variable.kind.read(text)) {
                Some(value) => {
                    for field in variable.fields {
                        layers = layers.set_override(field, value.clone())?;
                    }
                }
                None => problems.push(Problem {
                    field: variable.fields[0],
                    variable: Some(name),
                    value: given.to_string_lossy().into_owned(),
                    allowed: variable.kind.allowed(),
                }),
            }
        }
        ConfigError::check(problems)?;
        let config: Config = layers.build()?.try_deserialize()?;
        validate(&config, Some(&self.prefix))?;
        Ok(Loaded {
            config,
            warnings: self.warnings(),
        })
    }

    /// Variables under the prefix that are none of ours but a slip or two away from one.
    fn warnings(&self) -> Vec<Warning> {
        let known = |name: &str| VARIABLES.iter().any(|v| v.name == name);
        self.variables
            .keys()
            .filter_map(|variable| {
                let rest = variable.strip_prefix(&self.prefix)?;
                if known(rest) {
                    return None;
                }
                let nearest = nearest(rest)?;
                Some(Warning {
                    variable: variable.clone(),
                    nearest: self.name(nearest),
                })
            })
            .collect()
    }
}

fn blank(value: &OsString) -> bool {
    value.to_str().is_some_and(|text| text.trim().is_empty())
}

/// The variable that was probably meant. Capitals do not count as a slip, but letters do: two
/// of a short name, three of a long one.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    VARIABLES
        .iter()
        .map(|variable| (strsim::osa_distance(&name, variable.name), variable.name))
        .min()
        .filter(|(slips, nearest)| *slips <= (nearest.len() / 6).clamp(1, 3))
        .map(|(_, nearest)| nearest)
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("prefix", &self.prefix)
            .field("variables", &self.variables.len())
            .finish()
    }
}
