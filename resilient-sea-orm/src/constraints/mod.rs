//! Constraints of the live schema: reading them, and comparing them with what is declared.

pub(crate) mod catalogue;
mod verify;
