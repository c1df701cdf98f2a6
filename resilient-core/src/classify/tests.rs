//! What classification promises, on the reference corpus, on its traps and on hostile text.

mod corpus;
mod disagreements;
mod properties;
mod traps;

use super::*;
