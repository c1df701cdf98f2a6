//! The attribute knows the same words as the core, which it does not depend on.
#![cfg(feature = "macros")]

use resilient_sea_orm::FaultKind;

#[test]
fn the_attribute_knows_every_fault_kind() {
    let words: &[&str] = resilient_macros::__fault_kinds!();
    let kinds: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words, kinds);
}
