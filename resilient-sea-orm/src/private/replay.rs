//! Owned arguments, handed to one attempt after another.

/// An argument that several attempts need: cloned for each but the last, which gets the value.
#[derive(Debug)]
pub struct Owned<T>(Option<T>);

impl<T> Owned<T> {
    pub const fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// # Panics
    /// After the last attempt, which the expansion never asks for.
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

/// What [`Owned::replay`] needs; every `Clone` type has it.
#[diagnostic::on_unimplemented(
    message = "the argument of type `{Self}` cannot be handed to a second attempt, because it \
               is not `Clone`",
    label = "not `Clone`, and a retry needs it again",
    note = "take it by reference, name it in `borrow = [...]` so that the body sees a \
            reference, or set `retries = 0`"
)]
pub trait ReplayArgument: Sized {
    #[must_use]
    fn replay(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> ReplayArgument for T {
    fn replay(&self) -> Self {
        self.clone()
    }
}
