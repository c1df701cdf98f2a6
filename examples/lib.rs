//! The examples are programs: `cargo run --example quickstart`. See `examples/README.md`.
