//! What is watched: performance, alerts, the circuit breaker and the monitor, on real engines.

mod alerts;
mod breaker;
mod monitor;
mod performance;
