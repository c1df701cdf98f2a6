//! The `#[resilient]` attribute.
//!
//! Use it through `resilient-sea-orm`, which re-exports it and holds what its expansion calls.
//!
//! The way of the tokens: `attr` reads the attribute, `model` the item, `valid` checks both, and
//! `expand` emits; one `Ctxt` collects every error on the way.

mod attr;
mod ctxt;
mod duration;
mod expand;
mod fallback;
mod model;
mod pipeline;
mod valid;
mod words;

#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;

/// Runs a function in a transaction that survives what can be survived.
///
/// On an `async fn`, or on an `impl` block, where it covers the `pub` methods (in a trait impl:
/// every method) that are `async`, take `self` and return a `Result`. A method's own attribute
/// overrides the block's, key by key; `#[resilient(skip)]` leaves one alone.
///
/// | key | value | default |
/// | --- | --- | --- |
/// | `retries` | re-executions after the first attempt | the connection's policy |
/// | `on` | list of fault kinds and groups | `[transient]` |
/// | `isolation` | `"read_uncommitted"`, `"read_committed"`, `"repeatable_read"`, `"serializable"` | the server's |
/// | `read_only` | flag; `read_only = false` overrides a block's | off |
/// | `propagation` | `"nested"`, `"required"`, `"requires_new"`, `"mandatory"`, `"supports"`, `"not_supported"`, `"never"` | `"nested"` |
/// | `timeout` | bound of one attempt, such as `"2s"` or `"1.5s"` | none |
/// | `deadline` | bound of all attempts together | none |
/// | `backoff` | `exponential(base = "2ms", max = "1s", jitter = "full")`, `fixed("10ms")`, `none` | by fault kind |
/// | `policy` | path to a constant `RetryPolicy`; other keys win over it | none |
/// | `commit` | `"reported"` | `"reported"` |
/// | `db` | expression for the connection; it sees the arguments | `self.db` |
/// | `borrow` | owned arguments of which the body gets a reference | none |
/// | `name` | name for metrics and spans | `Type::method` |
/// | `crate` | path of the runtime crate | `::resilient_sea_orm` |
///
/// The return type is a `Result<T, E>` with `E: From<resilient_sea_orm::Error>`; any type whose
/// name ends with `Result` is taken for one.
///
/// Every attempt gets the arguments anew: references as they are, owned ones as clones (the last
/// attempt gets the value itself). An owned argument that is not `Clone` is taken by reference,
/// named in `borrow`, or goes with `retries = 0`.
#[proc_macro_attribute]
pub fn resilient(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::resilient(attribute.into(), &item.into()).into()
}

/// The fault kinds that `on` knows, as a `&[&str]`, so that a test can compare them with core's.
#[doc(hidden)]
#[proc_macro]
pub fn __fault_kinds(_: TokenStream) -> TokenStream {
    let kinds = words::FAULT_KINDS;
    quote::quote!(&[#(#kinds),*]).into()
}
