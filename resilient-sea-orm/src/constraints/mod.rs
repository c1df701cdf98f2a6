//! Constraints of a live database: what a violated one is, and whether what was declared is there.

// Each engine uses a part of it.
#![cfg_attr(
    not(feature = "sqlx-all"),
    allow(dead_code, unused_imports, unused_variables)
)]

pub(crate) mod catalogue;
mod identify;
pub(crate) mod known;
mod schema;
mod target;
mod verify;

pub(crate) use identify::identify;
pub(crate) use schema::Schema;
