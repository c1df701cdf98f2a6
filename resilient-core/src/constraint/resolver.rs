//! The hook for messages in other languages.

use std::sync::{Arc, PoisonError, RwLock};

use super::Violation;

/// What people read instead of the declared or default text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Translation {
    /// The message. Placeholders are filled as in a rule's.
    pub message: String,
    /// The suggestion; `None` leaves out the one in the other language.
    pub suggestion: Option<String>,
}

impl Translation {
    /// A message alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            suggestion: None,
        }
    }

    /// Adds a suggestion.
    #[must_use]
    pub fn with_suggestion(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// Finds the words for a violation, by its [`code`](Violation::code) or whatever else it tells.
///
/// Closures are resolvers.
///
/// ```
/// use resilient_core::constraint::{MessageResolver, Translation, Violation};
///
/// fn german(violation: &Violation) -> Option<Translation> {
///     let text = match violation.code() {
///         "handle_taken" => "Dieser Name ist schon vergeben",
///         _ => return None,
///     };
///     Some(Translation::new(text))
/// }
/// fn takes(_: impl MessageResolver) {}
/// takes(german);
/// ```
pub trait MessageResolver: Send + Sync {
    /// The words, or `None` to keep the declared or default ones.
    fn resolve(&self, violation: &Violation) -> Option<Translation>;
}

impl<F: Fn(&Violation) -> Option<Translation> + Send + Sync> MessageResolver for F {
    fn resolve(&self, violation: &Violation) -> Option<Translation> {
        self(violation)
    }
}

static RESOLVER: RwLock<Option<Arc<dyn MessageResolver>>> = RwLock::new(None);

/// Sets the resolver of the process, and answers the one before it.
///
/// It is asked when a violation becomes an error, on the task that ran the statement, so it can
/// read a task-local language. To translate later, or for one response only, use
/// [`Violation::translated`].
pub fn set_message_resolver(
    resolver: Option<Arc<dyn MessageResolver>>,
) -> Option<Arc<dyn MessageResolver>> {
    let mut current = RESOLVER.write().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *current, resolver)
}

pub(super) fn current() -> Option<Arc<dyn MessageResolver>> {
    RESOLVER
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}
