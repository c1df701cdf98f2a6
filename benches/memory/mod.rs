//! Calls that need no database: ours beside the loop by hand and the libraries that retry.
//!
//! Three groups with the same rows: `memory-ready`, whose operation answers at once;
//! `memory-yields`, whose operation waits once; `failure`, whose operation fails once and then
//! succeeds, without delay.

mod attribute;
mod nothing;
mod operation;
mod ours;
mod peers;

use crate::Case;
use operation::{FailsOnce, Ready, Yields};
pub(crate) use ours::shared_calls;

/// All of them.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(peers::cases::<Ready>("memory-ready"));
    cases.extend(ours::cases::<Ready>("memory-ready"));
    cases.extend(peers::cases::<Yields>("memory-yields"));
    cases.extend(ours::cases::<Yields>("memory-yields"));
    cases.extend(peers::cases::<FailsOnce>("failure"));
    cases.extend(ours::failing());
    cases
}
