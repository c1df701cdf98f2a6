//! The tables, and what their constraints mean to people.

pub mod account;
pub mod transfer;
pub mod user;
