//! Scopes and the attempt loop on a database that lives in memory and fails on request.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod admission;
mod attempts;
mod cancellation;
mod fake;
mod given_up;
mod hooks;
mod outside;
mod plain;
mod steps;
mod turns;
mod verified;
