//! The cases that need no database.

use resilient_benches::{Result, memory, program, threads};

fn main() -> Result {
    program::run(&memory::cases(), &threads::GROUPS, None)
}
