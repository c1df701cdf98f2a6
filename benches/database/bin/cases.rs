//! The cases on databases.

use resilient_benches::{Result, program};
use resilient_database_benches::{GROUPS, cases};

fn main() -> Result {
    program::run(&cases(), &GROUPS, None)
}
