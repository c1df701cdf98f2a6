//! Who may do what.

use std::{fmt, future::Future, pin::Pin};

use http::{header, request::Parts};
use subtle::{Choice, ConstantTimeEq};

use crate::BuildError;

/// What a request may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing but what is open to everybody.
    #[default]
    None,
    /// See reports.
    Read,
    /// Also start what costs the database something: diagnostics.
    Act,
}

/// An answer that takes a while.
type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Decides what a request may do. A closure from the request's head to an [`Access`] is one.
///
/// It is asked once per request, for an event stream once at its beginning. Where it panics, the
/// connection is closed without an answer.
pub trait Authorize: Send + Sync + 'static {
    /// What this request may do.
    fn access<'a>(&'a self, request: &'a Parts) -> Later<'a, Access>;
}

impl<F: Fn(&Parts) -> Access + Send + Sync + 'static> Authorize for F {
    fn access<'a>(&'a self, request: &'a Parts) -> Later<'a, Access> {
        let access = self(request);
        Box::pin(async move { access })
    }
}

/// An authoriser that has to ask somebody.
pub(crate) struct Asking<F>(pub(crate) F);

impl<F, A> Authorize for Asking<F>
where
    F: Fn(&Parts) -> A + Send + Sync + 'static,
    A: Future<Output = Access> + Send + 'static,
{
    fn access<'a>(&'a self, request: &'a Parts) -> Later<'a, Access> {
        Box::pin(self.0(request))
    }
}

/// Everybody may do everything.
pub(crate) struct Everybody;

impl Authorize for Everybody {
    fn access<'a>(&'a self, _request: &'a Parts) -> Later<'a, Access> {
        Box::pin(async { Access::Act })
    }
}

/// The fewest bytes of a token.
const MIN_TOKEN: usize = 16;

/// Secrets that callers send as `Authorization: Bearer …`.
///
/// How long a comparison takes tells nothing of a token but its length. Several tokens of a kind
/// let one be replaced while it is in use.
///
/// ```
/// use resilient_admin::BearerTokens;
///
/// let tokens = BearerTokens::new()
///     .read("a-token-for-the-dashboard")?
///     .act("another-one-for-operators")?;
/// # Ok::<(), resilient_admin::BuildError>(())
/// ```
#[derive(Clone, Default)]
pub struct BearerTokens(Vec<(Access, String)>);

impl BearerTokens {
    /// No token: nobody may do anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whoever has this token may read.
    ///
    /// # Errors
    /// When it has less than 16 bytes, or characters that no header can hold: it has to be of
    /// printable ASCII without spaces.
    pub fn read(self, token: impl Into<String>) -> Result<Self, BuildError> {
        self.with(Access::Read, token.into())
    }

    /// Whoever has this token may read and act.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn act(self, token: impl Into<String>) -> Result<Self, BuildError> {
        self.with(Access::Act, token.into())
    }

    fn with(mut self, access: Access, token: String) -> Result<Self, BuildError> {
        if token.len() < MIN_TOKEN {
            return Err(BuildError::ShortToken { least: MIN_TOKEN });
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BuildError::UnsendableToken);
        }
        self.0.push((access, token));
        Ok(self)
    }

    fn of(&self, sent: &[u8]) -> Access {
        // All are compared, whichever fits.
        let mut found = Access::None;
        for (access, token) in &self.0 {
            let same: Choice = token.as_bytes().ct_eq(sent);
            if bool::from(same) {
                found = found.max(*access);
            }
        }
        found
    }
}

impl Authorize for BearerTokens {
    fn access<'a>(&'a self, request: &'a Parts) -> Later<'a, Access> {
        let access = bearer(request).map_or(Access::None, |sent| self.of(sent));
        Box::pin(async move { access })
    }
}

/// How many, but not which.
impl fmt::Debug for BearerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerTokens")
            .field("tokens", &self.0.len())
            .finish_non_exhaustive()
    }
}

/// The bearer token of a request that has exactly one authorisation.
pub(crate) fn bearer(request: &Parts) -> Option<&[u8]> {
    let mut sent = request.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (sent.next(), sent.next()) else {
        return None;
    };
    let (scheme, token) = one.as_bytes().split_at_checked(7)?;
    let token = token.trim_ascii();
    let fits = scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty();
    fits.then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "a-token-that-reads";
    const ACT: &str = "a-token-that-acts-";

    fn request(headers: &[&str]) -> Parts {
        let mut request = http::Request::builder();
        for value in headers {
            request = request.header(header::AUTHORIZATION, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    async fn access(headers: &[&str]) -> Access {
        let tokens = BearerTokens::new().read(READ).unwrap().act(ACT).unwrap();
        tokens.access(&request(headers)).await
    }

    #[tokio::test]
    async fn only_the_exact_token_gives_access() {
        assert_eq!(access(&[&format!("Bearer {READ}")]).await, Access::Read);
        assert_eq!(access(&[&format!("bearer  {ACT}")]).await, Access::Act);
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            READ,
            &format!("Basic {READ}"),
            &format!("Bearer {READ}x"),
            &format!("Bearer {}", &READ[..17]),
            &format!("Bearer {}", READ.to_uppercase()),
        ] {
            assert_eq!(access(&[wrong]).await, Access::None, "{wrong:?}");
        }
        assert_eq!(access(&[]).await, Access::None);
        // Which of the two would count is anybody's guess.
        let both = [&*format!("Bearer {READ}"), &*format!("Bearer {ACT}")];
        assert_eq!(access(&both).await, Access::None);
    }

    #[tokio::test]
    async fn no_tokens_let_nobody_in() {
        let none = BearerTokens::new();
        let sent = request(&["Bearer  "]);
        assert_eq!(none.access(&sent).await, Access::None);
    }

    #[test]
    fn weak_tokens_are_refused() {
        for weak in ["", "short", "fifteen-bytes-x"] {
            let refused = BearerTokens::new().read(weak).unwrap_err();
            assert!(matches!(refused, BuildError::ShortToken { .. }), "{weak}");
        }
        for odd in [
            "with spaces in between",
            "with\nnewlines-in-it",
            "mit-ümläuten-und-so",
        ] {
            let refused = BearerTokens::new().act(odd).unwrap_err();
            assert!(matches!(refused, BuildError::UnsendableToken), "{odd}");
        }
        let shown = format!("{:?}", BearerTokens::new().read(READ).unwrap());
        assert!(!shown.contains(READ), "{shown}");
    }
}
