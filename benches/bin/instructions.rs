//! Counts the instructions of cases under callgrind; started by `bench`, which says which.
#![allow(missing_docs, reason = "gungraun's macro makes items without")]

use gungraun::{binary_benchmark_group, main};
use resilient_benches::valgrind;

binary_benchmark_group!(
    name = cases,
    benchmarks = |group: &mut BinaryBenchmarkGroup| valgrind::fill(group)
);

main!(binary_benchmark_groups = cases);
