//! What policies do when calls are in each other's way, on a private PostgreSQL:
//! `cargo run --release -p resilient-contention-benches --bin contention`.
//!
//! Machines are noisy: rounds of all policies are interleaved, and ratios are taken within a round.

use std::process::ExitCode;

use clap::Parser;
use resilient_contention_benches as contention;

#[tokio::main(flavor = "multi_thread")]
async fn main() -> ExitCode {
    match contention::run(&contention::Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("contention: {error}");
            ExitCode::FAILURE
        }
    }
}
