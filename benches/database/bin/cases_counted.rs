//! The cases on databases, with an allocator that counts.

use resilient_benches::{Result, program};
use resilient_database_benches::cases;

fn main() -> Result {
    program::run(&cases(), &[], Some(count))
}

fn count(work: &mut dyn FnMut()) -> (u64, u64) {
    let info = allocation_counter::measure(work);
    (info.count_total, info.bytes_total)
}
