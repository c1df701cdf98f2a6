//! Benchmarks; see `cargo bench -p resilient-benches`.
