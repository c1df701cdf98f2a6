//! Who may see, and do, what under `/ops`.

use std::fmt;

use resilient_sea_orm::config::Environment;
use uuid::Uuid;

use super::{SettingsError, wrong};

/// A secret; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The secret.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The tokens that open `/ops`.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Lets see.
    pub read: Option<Token>,
    /// Lets see and do.
    pub act: Option<Token>,
    generated: bool,
}

impl Tokens {
    /// One that was made up now, and lets do everything.
    pub fn made_up() -> Self {
        Self {
            read: None,
            act: Some(Token(Uuid::new_v4().simple().to_string())),
            generated: true,
        }
    }

    /// The token that was made up, as none was set.
    pub fn generated(&self) -> Option<&str> {
        let made_up = self.act.as_ref().filter(|_| self.generated);
        made_up.map(Token::secret)
    }

    pub(super) fn of(variables: &Environment) -> Result<Self, SettingsError> {
        let (read, act) = (
            token(variables, "ADMIN_READ_TOKEN")?,
            token(variables, "ADMIN_ACT_TOKEN")?,
        );
        if read.is_none() && act.is_none() {
            return Ok(Self::made_up());
        }
        if read == act {
            return Err(wrong(
                "ADMIN_ACT_TOKEN",
                "the same as ADMIN_READ_TOKEN",
                "a token of its own, or none: then nobody may act",
            ));
        }
        Ok(Self {
            read,
            act,
            generated: false,
        })
    }
}

fn token(variables: &Environment, name: &'static str) -> Result<Option<Token>, SettingsError> {
    let Some(text) = variables.get(name) else {
        return Ok(None);
    };
    let good = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_graphic());
    if !good {
        // Not the secret itself.
        let value = format!(
            "{} characters long, or has others than these",
            text.chars().count()
        );
        let allowed = "16 or more visible ASCII characters without spaces";
        return Err(wrong(name, &value, allowed));
    }
    Ok(Some(Token(text.to_owned())))
}
