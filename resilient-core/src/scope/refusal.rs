//! What cannot be done in a scope, and what to do instead.

use std::time::Duration;

use crate::{FaultKind, Outcome, failure::Failure};

pub(super) fn ended() -> Failure {
    Failure::misuse(
        "this scope has already ended: a handle or spawned task outlived the method that opened \
         its transaction; await it inside the method",
    )
}

/// Not retried: what took too long once will most likely do so again.
pub(super) fn expired(method: Option<&str>, age: Duration, limit: Duration) -> Failure {
    Failure::misuse(format!(
        "the transaction of {} was open for {age:.0?}, longer than the session timeout of \
         {limit:.0?}, and was rolled back: make it shorter, refresh it, or raise the timeout",
        method.unwrap_or("begin()"),
    ))
    .of_kind(FaultKind::SessionExpired)
    .with_outcome(Outcome::RolledBack)
}

/// The same for one that sent nothing for too long.
pub(super) fn idle(method: Option<&str>, idle: Duration, limit: Duration) -> Failure {
    Failure::misuse(format!(
        "the transaction of {} sent no statement for {idle:.0?}, longer than the session's \
         max_idle_time of {limit:.0?}, and was rolled back: do other work before or after it, \
         refresh it, or raise the limit",
        method.unwrap_or("begin()"),
    ))
    .of_kind(FaultKind::SessionExpired)
    .with_outcome(Outcome::RolledBack)
}

/// Somebody wanted its session in order, and did not wait for its owner.
pub(super) fn recovered(method: Option<&str>) -> Failure {
    Failure::misuse(format!(
        "the transaction of {} was rolled back from outside, as its session was recovered while \
         it ran",
        method.unwrap_or("begin()"),
    ))
    .of_kind(FaultKind::SessionExpired)
    .with_outcome(Outcome::RolledBack)
}

pub(super) fn open_handle() -> Failure {
    Failure::misuse(
        "a savepoint is still open: commit or roll back what begin() gave, and await every nested \
         call, before the method returns",
    )
    .with_outcome(Outcome::RolledBack)
}

pub(super) fn open_stream() -> Failure {
    Failure::misuse(
        "a stream of this transaction is still open: collect or drop it before the method \
         returns; its rows cannot outlive the transaction",
    )
    .with_outcome(Outcome::RolledBack)
}

pub(super) fn waits_for_caller() -> Failure {
    Failure::misuse(
        "a handle of the surrounding method was used inside a nested method, which would wait \
         for itself: use the connection there, or the handle outside",
    )
}

pub(super) fn while_streaming() -> Failure {
    Failure::misuse(
        "a stream of this transaction is open, and its rows share the connection: collect or \
         drop the stream before the next statement",
    )
}

pub(super) fn held_by_handle() -> Failure {
    Failure::misuse(
        "a savepoint opened with begin() is open: use its handle for this statement, or commit \
         or roll it back first",
    )
}

pub(super) fn never_freed(limit: Duration) -> Failure {
    Failure::misuse(format!(
        "another branch of this transaction has kept it for {limit:?}: its future is not polled \
         any more, or waits for this one"
    ))
}

/// Not silently without: who names keys relies on having their turns.
pub(super) fn turns_too_late() -> Failure {
    Failure::misuse(
        "serialize_by names a key whose turn the transaction around this call does not have, and \
         turns are taken before a transaction begins: name the key on the outermost method too, \
         or make this call before that method's first statement",
    )
}

/// Who has turns and waits for others can wait for somebody who waits for those.
pub(super) fn more_turns() -> Failure {
    Failure::misuse(
        "serialize_by names a key whose turn the transaction around this call does not have, \
         while it has others: waiting for one more could wait for itself; name all keys on the \
         outermost method",
    )
    .of_kind(FaultKind::LockTimeout)
}

pub(super) fn turns_in_branch() -> Failure {
    Failure::misuse(
        "the transaction around this call takes its turns in another branch of the same task, \
         and ends after this call: waiting for them would wait for itself; send a statement of \
         the outer method before its branches",
    )
    .of_kind(FaultKind::LockTimeout)
}
