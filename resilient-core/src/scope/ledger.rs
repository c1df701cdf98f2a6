//! The books of one transaction: which scopes are open, which savepoints exist on the server,
//! what is lost. Pure state, no I/O; [`Transaction`](super::Transaction) acts on it.

mod parts;

use std::time::Instant;

use parts::Node;
pub use parts::ScopeId;
pub(crate) use parts::{Admission, CommitStep, Holder, Marker, Stage};

use super::hooks::{Hook, Hooks};
use crate::{
    CommitToken, Effect, Failure, admission::Permit, driver::Control, health::sessions::Ticket,
    turns::Turns,
};

#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) stage: Stage,
    nodes: Vec<Node>,
    next_serial: u64,
    /// Scopes whose savepoint is open on the server, outermost first.
    stack: Vec<usize>,
    /// Releases and rollbacks that ride along with the next control statement.
    pending: Vec<Control>,
    next_savepoint: u32,
    /// The session's state is not known; it must not be used again.
    pub(crate) untrusted: bool,
    /// A stream of this transaction is open.
    pub(crate) streaming: bool,
    pub(crate) commit: CommitStep,
    /// A statement may have ended the transaction behind our back.
    pub(crate) blurred: bool,
    /// Set if its commit is a verified one.
    pub(crate) marker: Option<Marker>,
    /// Hooks of scopes that were undone.
    undone: Vec<Hook>,
    pub(super) next_hook: u64,
    /// Its place among the open transactions.
    pub(crate) ticket: Option<Ticket>,
    /// Its turns by key.
    pub(crate) turns: Turns,
    /// Its place among those of its method.
    pub(crate) permit: Option<Permit>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Idle,
            nodes: vec![Node::new(0, 0, Holder::Call)],
            next_serial: 1,
            stack: Vec::new(),
            pending: Vec::new(),
            next_savepoint: 1,
            untrusted: false,
            streaming: false,
            commit: CommitStep::NotSent,
            blurred: false,
            marker: None,
            undone: Vec::new(),
            next_hook: 0,
            ticket: None,
            turns: Turns::default(),
            permit: None,
        }
    }

    /// From now on its commit is a verified one. What was sent before may have written.
    pub(crate) fn verify_by(&mut self, token: CommitToken) {
        let wrote = self.stage != Stage::Idle;
        self.marker.get_or_insert(Marker { token, wrote });
    }

    /// Opens a scope below `parent`, or answers `None` if that has ended. Nothing is sent until
    /// a statement needs it.
    pub(crate) fn open(&mut self, parent: ScopeId, holder: Holder) -> Option<ScopeId> {
        let parent = self.find(parent)?;
        let serial = self.next_serial;
        self.next_serial += 1;
        let slot = self.nodes.len();
        self.nodes.push(Node::new(serial, parent, holder));
        Some(ScopeId { slot, serial })
    }

    /// The slot of a scope that is still open.
    fn find(&self, scope: ScopeId) -> Option<usize> {
        let node = self.nodes.get(scope.slot)?;
        (node.serial == scope.serial && node.open && self.stage != Stage::Ended)
            .then_some(scope.slot)
    }

    /// The scope and those around it, innermost first; the root last.
    fn path(&self, slot: usize) -> impl Iterator<Item = usize> + '_ {
        let mut next = Some(slot);
        std::iter::from_fn(move || {
            let at = next?;
            next = (at != 0).then(|| self.nodes[at].parent);
            Some(at)
        })
    }

    /// The scopes from the outermost nested one down to `slot`, without the root.
    fn nested(&self, slot: usize) -> Vec<usize> {
        let mut path: Vec<usize> = self.path(slot).filter(|i| *i != 0).collect();
        path.reverse();
        path
    }

    /// The first cause of the scope's loss, its own or that of one around it.
    pub(crate) fn doom(&self, scope: ScopeId) -> Option<&Failure> {
        let slot = self.find(scope)?;
        self.path(slot)
            .filter_map(|i| self.nodes[i].doom.as_deref())
            .last()
    }

    /// Whether a scope around this one is lost.
    pub(crate) fn lost_around(&self, scope: ScopeId) -> bool {
        let doomed = |slot: usize| self.nodes[slot].doom.is_some();
        self.find(scope)
            .is_some_and(|slot| self.path(slot).skip(1).any(doomed))
    }

    /// Why the whole transaction is lost, if it is.
    pub(crate) fn root_doom(&self) -> Option<&Failure> {
        self.nodes[0].doom.as_deref()
    }

    /// What a body that returned an error most likely failed of: the scope's loss, else its
    /// latest failure.
    pub(crate) fn cause(&self, scope: ScopeId) -> Option<&Failure> {
        self.doom(scope)
            .or_else(|| self.nodes[self.find(scope)?].last.as_deref())
    }

    /// Whether `inner` lies within `outer`.
    pub(crate) fn contains(&self, outer: ScopeId, inner: ScopeId) -> bool {
        match (self.find(outer), self.find(inner)) {
            (Some(outer), Some(inner)) => self.path(inner).any(|slot| slot == outer),
            _ => false,
        }
    }

    /// What stands between `scope` and a statement.
    pub(crate) fn admit(&self, scope: ScopeId) -> Admission {
        let Some(slot) = self.find(scope) else {
            return Admission::Ended;
        };
        if let Some(doom) = self.doom(scope) {
            return Admission::Lost(Box::new(doom.clone()));
        }
        let path = self.nested(slot);
        if let Some(&foreign) = self.stack.iter().find(|i| !path.contains(i)) {
            return match self.nodes[foreign].holder {
                Holder::Call => Admission::AfterSibling,
                Holder::Handle => Admission::AfterHandle,
            };
        }
        // A pending rollback must go out before anything else; a pending release may wait for
        // a control statement to ride along with.
        let mut steps = Vec::new();
        let rollback = |c: &Control| matches!(c, Control::RollbackTo(_));
        if path.len() > self.stack.len() || self.pending.iter().any(rollback) {
            steps.extend_from_slice(&self.pending);
        }
        let fresh = path.len() - self.stack.len();
        steps.extend((self.next_savepoint..).take(fresh).map(Control::Savepoint));
        Admission::Ready(steps)
    }

    /// Records that the steps of [`Ledger::admit`] for `scope` were executed; answers how many
    /// savepoints they made.
    pub(crate) fn materialised(&mut self, scope: ScopeId, steps: &[Control]) -> u64 {
        // Numbers are never used twice, even if the scope has ended meanwhile.
        let first = self.next_savepoint;
        self.next_savepoint += steps
            .iter()
            .map(|c| u32::from(matches!(c, Control::Savepoint(_))))
            .sum::<u32>();
        let Some(slot) = self.find(scope) else {
            return 0;
        };
        if !steps.is_empty() {
            self.pending.clear();
        }
        let fresh = self.nested(slot).split_off(self.stack.len());
        let made = fresh.len() as u64;
        for (node, number) in fresh.into_iter().zip(first..) {
            self.nodes[node].savepoint = Some(number);
            self.stack.push(node);
        }
        made
    }

    /// A statement has ended: its owner uses the transaction.
    pub(crate) fn used(&self, now: Instant) {
        if let Some(ticket) = &self.ticket {
            ticket.used(now);
        }
    }

    /// Records that a statement of `scope` did well.
    pub(crate) fn succeeded(&mut self, scope: ScopeId) {
        if let Some(slot) = self.find(scope) {
            self.nodes[slot].last = None;
        }
    }

    /// Records a failure in `scope`. What reaches further than the scope's own savepoint is
    /// booked on the root.
    pub(crate) fn record(&mut self, scope: ScopeId, failure: Failure) {
        let slot = self.find(scope);
        let doomed = match failure.fault().effect() {
            // An error that undid its own statement only is the body's to handle, unless it
            // is one that a retry heals: then what follows would build on a gap.
            Effect::Statement if !failure.fault().is_transient() => None,
            Effect::Statement | Effect::Aborted => slot,
            Effect::Transaction | Effect::Connection | Effect::Unknown => Some(0),
        };
        if let Some(slot) = slot {
            self.nodes[slot].last = Some(Box::new(failure.clone()));
        }
        if let Some(doomed) = doomed {
            self.nodes[doomed]
                .doom
                .get_or_insert_with(|| Box::new(failure));
        }
    }

    /// Marks `scope` as lost.
    pub(crate) fn doom_scope(&mut self, scope: ScopeId, failure: Failure) {
        if let Some(slot) = self.find(scope) {
            self.nodes[slot]
                .doom
                .get_or_insert_with(|| Box::new(failure));
        }
    }

    /// Marks the whole transaction as lost.
    pub(crate) fn doom_root(&mut self, failure: Failure) {
        self.nodes[0].doom.get_or_insert_with(|| Box::new(failure));
    }

    /// Whether the server has heard of the scope.
    pub(crate) fn sent(&self, scope: ScopeId) -> bool {
        match self.find(scope) {
            Some(0) => !matches!(self.stage, Stage::Idle | Stage::Beginning),
            Some(slot) => self.nodes[slot].savepoint.is_some(),
            // Ended from outside, as it was open for too long.
            None => scope == ScopeId::ROOT && self.stage == Stage::Ended,
        }
    }

    /// Ends a scope that did well. Its savepoint is released with the next control statement.
    pub(crate) fn close_ok(&mut self, scope: ScopeId) {
        if let Some(slot) = self.find(scope) {
            let parent = self.nodes[slot].parent;
            self.nodes[parent].last = None;
            let hooks = std::mem::take(&mut self.nodes[slot].hooks);
            self.nodes[parent].hooks.extend(hooks);
        }
        if let Some(savepoint) = self.close(scope) {
            // A dropped child's rollback that is still due must go out: releasing the savepoint
            // around it would keep the child's work.
            self.forget_pending(savepoint, |c| matches!(c, Control::Release(_)));
            self.pending.push(Control::Release(savepoint));
        }
    }

    /// Ends a scope that failed; answers the savepoint to roll back to, if the server has one.
    /// The enclosing scope remembers the failure, in case its body fails of it.
    pub(crate) fn close_failed(&mut self, scope: ScopeId) -> Option<u32> {
        let slot = self.find(scope)?;
        if let Some(cause) = self.cause(scope).cloned() {
            let parent = self.nodes[slot].parent;
            self.nodes[parent].last = Some(Box::new(cause));
        }
        let savepoint = self.close(scope)?;
        self.forget_pending(savepoint, |_| true);
        let alive = self.stage == Stage::Open && self.root_doom().is_none();
        alive.then_some(savepoint)
    }

    /// Leaves the rollback of a closed scope to the next statement.
    pub(crate) fn defer_rollback(&mut self, savepoint: u32) {
        self.pending.push(Control::RollbackTo(savepoint));
    }

    /// Takes the releases and rollbacks that have not been sent yet.
    pub(crate) fn take_due(&mut self) -> Vec<Control> {
        std::mem::take(&mut self.pending)
    }

    /// Whether a savepoint below `scope` is still open: a handle of `begin()`, or a call whose
    /// future lives on outside of the body.
    pub(crate) fn undecided_below(&self, scope: ScopeId) -> bool {
        let Some(outer) = self.find(scope) else {
            return false;
        };
        let undecided = |n: &Node| n.open && n.savepoint.is_some();
        (0..self.nodes.len())
            .filter(|slot| *slot != outer && *slot != 0 && undecided(&self.nodes[*slot]))
            .any(|slot| self.path(slot).any(|around| around == outer))
    }

    /// Whether the scope and its transaction have not ended.
    pub(crate) fn is_open(&self, scope: ScopeId) -> bool {
        self.find(scope).is_some()
    }

    /// Whether what `scope` would wait for is a savepoint that `caller` itself is in.
    pub(crate) fn waits_for_caller(&self, scope: ScopeId, caller: ScopeId) -> bool {
        let (Some(slot), Some(caller)) = (self.find(scope), self.find(caller)) else {
            return false;
        };
        let path = self.nested(slot);
        let foreign = self.stack.iter().find(|i| !path.contains(i));
        foreign.is_some_and(|foreign| self.path(caller).any(|around| around == *foreign))
    }

    /// Names `cause` as the reason for the whole transaction's loss, in place of what followed
    /// from it.
    pub(crate) fn attribute_root_doom(&mut self, cause: Failure) {
        self.nodes[0].doom = Some(Box::new(cause));
    }

    /// The hooks of a scope that is open.
    pub(super) fn hooks_of(&mut self, scope: ScopeId) -> Option<&mut Vec<Hook>> {
        let slot = self.find(scope)?;
        Some(&mut self.nodes[slot].hooks)
    }

    /// Takes all hooks, at the transaction's end. What is still open inside it is undone.
    pub(super) fn take_hooks(&mut self) -> Hooks {
        let mut hooks = Hooks {
            open: std::mem::take(&mut self.nodes[0].hooks),
            undone: std::mem::take(&mut self.undone),
        };
        for node in &mut self.nodes[1..] {
            hooks.undone.append(&mut node.hooks);
        }
        hooks
    }

    /// Closes the scope and every one below it.
    fn close(&mut self, scope: ScopeId) -> Option<u32> {
        let slot = self.find(scope)?;
        self.nodes[slot].open = false;
        // A parent's slot is always before its children's.
        for i in slot + 1..self.nodes.len() {
            let parent = self.nodes[i].parent;
            if parent >= slot && !self.nodes[parent].open {
                self.nodes[i].open = false;
            }
        }
        for i in slot..self.nodes.len() {
            if !self.nodes[i].open {
                // Those for a commit too: dropping one may run code that comes back here.
                self.undone.append(&mut self.nodes[i].hooks);
            }
        }
        let nodes = &self.nodes;
        self.stack.retain(|i| nodes[*i].open);
        let savepoint = self.nodes[slot].savepoint.take();
        while self.nodes.len() > 1 && self.nodes.last().is_some_and(|n| !n.open) {
            self.nodes.pop();
        }
        savepoint
    }

    /// Drops pending steps inside `savepoint` that its own end takes care of.
    fn forget_pending(&mut self, savepoint: u32, covered: impl Fn(&Control) -> bool) {
        let inside = |c: &Control| matches!(c, Control::Release(n) | Control::RollbackTo(n) if *n > savepoint);
        self.pending.retain(|c| !(inside(c) && covered(c)));
    }
}

#[cfg(test)]
mod tests;
