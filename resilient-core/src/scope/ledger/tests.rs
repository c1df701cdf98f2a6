use super::*;
use crate::{DriverError, Fault, FaultKind};

fn opened() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.stage = Stage::Open;
    ledger
}

fn child(ledger: &mut Ledger, parent: ScopeId) -> ScopeId {
    ledger.open(parent, Holder::Call).unwrap()
}

/// Plays one successful statement and answers what had to be sent before it.
fn statement(ledger: &mut Ledger, scope: ScopeId) -> Vec<Control> {
    let Admission::Ready(steps) = ledger.admit(scope) else {
        panic!("{:?}", ledger.admit(scope));
    };
    ledger.materialised(scope, &steps);
    steps
}

fn failure(kind: FaultKind, effect: Effect) -> Failure {
    Failure::database(DriverError::from(Fault::new(kind, effect)))
}

use Control::{Release, RollbackTo, Savepoint};

#[test]
fn a_scope_without_statements_costs_nothing() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    ledger.close_ok(a);
    assert_eq!(statement(&mut ledger, ScopeId::ROOT), []);
    assert!(ledger.take_due().is_empty());
}

#[test]
fn a_release_rides_along_with_the_next_savepoint() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    assert_eq!(statement(&mut ledger, a), [Savepoint(1)]);
    assert_eq!(statement(&mut ledger, a), []);
    ledger.close_ok(a);
    assert_eq!(statement(&mut ledger, ScopeId::ROOT), []);
    let b = child(&mut ledger, ScopeId::ROOT);
    assert_eq!(statement(&mut ledger, b), [Release(1), Savepoint(2)]);
}

#[test]
fn a_nested_scope_makes_the_savepoints_around_it_first() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    let b = child(&mut ledger, a);
    assert_eq!(statement(&mut ledger, b), [Savepoint(1), Savepoint(2)]);
    ledger.close_ok(b);
    assert_eq!(ledger.close_failed(a), Some(1));
    // Rolling back to 1 took 2 with it: nothing is left to release.
    assert_eq!(statement(&mut ledger, ScopeId::ROOT), []);
}

#[test]
fn a_parent_or_sibling_waits_until_the_open_savepoint_has_ended() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    let b = child(&mut ledger, ScopeId::ROOT);
    statement(&mut ledger, a);
    assert!(matches!(ledger.admit(b), Admission::AfterSibling));
    assert!(matches!(
        ledger.admit(ScopeId::ROOT),
        Admission::AfterSibling
    ));
    ledger.close_ok(a);
    assert_eq!(statement(&mut ledger, b), [Release(1), Savepoint(2)]);
}

#[test]
fn a_deferred_rollback_goes_out_before_the_next_statement_and_before_commit() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    statement(&mut ledger, a);
    let savepoint = ledger.close_failed(a).unwrap();
    ledger.defer_rollback(savepoint);
    let Admission::Ready(steps) = ledger.admit(ScopeId::ROOT) else {
        panic!()
    };
    assert_eq!(steps, [RollbackTo(1)]);
    assert_eq!(ledger.take_due(), [RollbackTo(1)]);
}

#[test]
fn a_dropped_childs_rollback_outlives_its_parents_release() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    let b = child(&mut ledger, a);
    statement(&mut ledger, b);
    let savepoint = ledger.close_failed(b).unwrap();
    ledger.defer_rollback(savepoint);
    ledger.close_ok(a);
    assert_eq!(ledger.take_due(), [RollbackTo(2), Release(1)]);
}

#[test]
fn a_deadlock_that_ends_the_transaction_dooms_every_scope_and_sends_nothing() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    statement(&mut ledger, a);
    ledger.record(a, failure(FaultKind::Deadlock, Effect::Transaction));
    assert!(matches!(ledger.admit(ScopeId::ROOT), Admission::Lost(_)));
    assert_eq!(ledger.close_failed(a), None);
}

#[test]
fn an_aborted_savepoint_heals_when_it_is_rolled_back() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    statement(&mut ledger, a);
    ledger.record(a, failure(FaultKind::Unique, Effect::Aborted));
    assert!(matches!(ledger.admit(a), Admission::Lost(_)));
    assert_eq!(ledger.close_failed(a), Some(1));
    assert_eq!(statement(&mut ledger, ScopeId::ROOT), []);
    assert!(ledger.doom(ScopeId::ROOT).is_none());
}

#[test]
fn a_swallowed_lock_timeout_dooms_and_a_swallowed_violation_does_not() {
    let mut ledger = opened();
    ledger.record(ScopeId::ROOT, failure(FaultKind::Unique, Effect::Statement));
    assert!(ledger.doom(ScopeId::ROOT).is_none());
    assert!(ledger.cause(ScopeId::ROOT).is_some());
    statement(&mut ledger, ScopeId::ROOT);
    ledger.succeeded(ScopeId::ROOT);
    assert!(ledger.cause(ScopeId::ROOT).is_none());
    ledger.record(
        ScopeId::ROOT,
        failure(FaultKind::LockTimeout, Effect::Statement),
    );
    assert!(ledger.doom(ScopeId::ROOT).is_some());
}

#[test]
fn a_scope_that_has_ended_cannot_be_used_even_if_its_slot_is() {
    let mut ledger = opened();
    let a = child(&mut ledger, ScopeId::ROOT);
    let inner = child(&mut ledger, a);
    ledger.close_ok(a);
    let b = child(&mut ledger, ScopeId::ROOT);
    assert_ne!(a, b);
    for gone in [a, inner] {
        assert!(matches!(ledger.admit(gone), Admission::Ended));
        assert!(ledger.open(gone, Holder::Call).is_none());
    }
    statement(&mut ledger, b);
}
