//! What a transaction's books are made of.

use crate::{CommitToken, Failure, driver::Control, scope::hooks::Hook};

/// A scope within its transaction. The root is [`ScopeId::ROOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeId {
    pub(super) slot: usize,
    /// Tells a scope from a later one in the same slot.
    pub(super) serial: u64,
}

impl ScopeId {
    /// The transaction itself.
    pub const ROOT: Self = Self { slot: 0, serial: 0 };
}

/// Who opened a scope, which decides what waiting for it can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A call, whose future ends it.
    Call,
    /// A handle from `begin()`, which its owner ends.
    Handle,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) serial: u64,
    pub(super) parent: usize,
    pub(super) holder: Holder,
    /// Set once the savepoint exists on the server.
    pub(super) savepoint: Option<u32>,
    pub(super) doom: Option<Box<Failure>>,
    /// The latest failure that no successful statement has followed: what a body that returns
    /// an error most likely failed of.
    pub(super) last: Option<Box<Failure>>,
    pub(super) open: bool,
    pub(super) hooks: Vec<Hook>,
}

impl Node {
    pub(super) fn new(serial: u64, parent: usize, holder: Holder) -> Self {
        Self {
            serial,
            parent,
            holder,
            savepoint: None,
            doom: None,
            last: None,
            open: true,
            hooks: Vec::new(),
        }
    }
}

/// How far the transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was sent yet.
    Idle,
    /// BEGIN was sent, and its answer may be outstanding.
    Beginning,
    /// In a transaction.
    Open,
    /// Committed, rolled back or given up.
    Ended,
}

/// How far its COMMIT is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitStep {
    NotSent,
    /// Its answer is outstanding.
    Sent,
    /// The server refused it.
    Refused,
}

/// The marker of a verified commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marker {
    pub(crate) token: CommitToken,
    /// Whether a statement may have written something.
    pub(crate) wrote: bool,
}

/// Whether a statement may be sent now.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Yes, after these control statements.
    Ready(Vec<Control>),
    /// A sibling's savepoint is open; its call will end it.
    AfterSibling,
    /// A savepoint handle is open; only its owner can end it.
    AfterHandle,
    /// No: the scope is lost.
    Lost(Box<Failure>),
    /// No: the scope or its transaction has ended.
    Ended,
}
