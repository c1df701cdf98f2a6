//! The attribute and the derives in somebody else's crate: the framework under another name, every lint denied,
//! and items that are called as the expansion's own words are.
#![deny(warnings, unused, missing_docs, unreachable_pub, rust_2018_idioms)]
#![deny(clippy::all, clippy::pedantic, clippy::shadow_unrelated)]
#![allow(clippy::missing_errors_doc)]

pub mod entity;
pub mod hostile;
pub mod ordinary;
pub mod traits;
