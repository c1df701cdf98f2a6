//! The bank over HTTP, on real engines.

mod admin;
mod crashes;
mod money;
mod outages;
mod process;
mod requests;
mod rig;
mod settings;
mod shutdown;
mod sign_up;
