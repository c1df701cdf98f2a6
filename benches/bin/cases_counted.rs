//! The cases that need no database, with an allocator that counts.

use resilient_benches::{Result, memory, program};

fn main() -> Result {
    program::run(&memory::cases(), &[], Some(count))
}

fn count(work: &mut dyn FnMut()) -> (u64, u64) {
    let info = allocation_counter::measure(work);
    (info.count_total, info.bytes_total)
}
