//! Runs the compiler and notes how much processor time it took; cargo starts it, told by `bench`.

use std::process::ExitCode;

use resilient_benches::{Result, compile::timed};

fn main() -> Result<ExitCode> {
    timed::run()
}
