//! The arguments of a call that may run its body more than once. To be copied into the runtime
//! crate as it is: the wording and the place of the error for an argument that is not `Clone`
//! depend on its exact form.

/// An owned argument, kept for the attempts to come.
#[derive(Debug)]
pub struct Owned<T>(Option<T>);

impl<T> Owned<T> {
    /// Keeps the argument.
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// The argument for one attempt: a clone, or in the last attempt the value itself.
    ///
    /// # Panics
    ///
    /// After the last attempt, which the expansion never does.
    pub fn replay(&mut self, last: bool) -> T
    where
        T: ReplayArgument,
    {
        let value = if last {
            self.0.take()
        } else {
            self.0.as_ref().map(ReplayArgument::replay)
        };
        value.expect("no attempt follows the last one")
    }
}

/// An argument that can be handed to more than one attempt: anything that is `Clone`.
#[diagnostic::on_unimplemented(
    message = "the argument of type `{Self}` cannot be handed to a second attempt, because it is not `Clone`",
    label = "not `Clone`, and a retry needs it again",
    note = "take it by reference, name it in `borrow = [...]` so that the body sees a reference, or set `retries = 0`"
)]
pub trait ReplayArgument: Sized {
    /// A copy for one attempt.
    #[must_use]
    fn replay(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> ReplayArgument for T {
    fn replay(&self) -> Self {
        self.clone()
    }
}
