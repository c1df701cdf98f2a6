//! The `#[resilient]` attribute and the derives `ConstraintMessages`, `SoftDelete` and
//! `RepositoryError`.
//!
//! Use them through `resilient-sea-orm`, which re-exports them and holds what expansions call.
//!
//! The way of the tokens: `attr` reads the attribute, `model` the item, `valid` checks both, and
//! `expand` emits; one `Ctxt` collects every error on the way. The derives go the same way in
//! `constraint`, `soft_delete` and `repository_error`.

mod attr;
mod constraint;
mod ctxt;
mod duration;
mod entity;
mod entries;
mod expand;
mod fallback;
mod model;
mod pipeline;
mod repository_error;
mod soft_delete;
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
/// | `commit` | `"reported"`: a lost answer to COMMIT is `Outcome::Unknown`; `"verified"`: it is found out, at the price of one small row in the same round trip | the connection's, which is `"reported"` |
/// | `admission` | `"adaptive"`: calls that are in each other's way take turns before they begin; `"off"` | the connection's, which is `"off"` |
/// | `db` | expression for the connection; it sees the arguments | `self.db` |
/// | `borrow` | owned arguments of which the body gets a reference | none |
/// | `serialize_by` | expression, or several in parentheses: calls in this process that name a common key take turns before their transactions begin; borrowed, seen once, and sees the arguments | none |
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

/// Says what the constraints of an entity's table mean to people.
///
/// On SeaORM's `Model`, in the classic format (`DeriveEntityModel`) and in the dense one
/// (above or below `#[sea_orm::model]`). Nothing else is needed: wherever one of these constraints
/// is violated, the error's `Violation` has these words.
/// (The crate of the entity must be linked, which it is once anything in it is used.)
///
#[doc = include_str!("../doc/constraint_messages.md")]
///
/// | kind | on a field, about its column | on the struct |
/// | --- | --- | --- |
/// | `unique`: also a primary key | yes | with `columns` or `name` |
/// | `foreign_key`: the row that it names is not there | yes | with `columns` or `name` |
/// | `not_null` | yes | no |
/// | `check` | yes | with `name` or `columns` |
/// | `exclusion` | yes | with `name` or `columns` |
/// | `restrict`: others still reference the row | yes: the row that this column names; with `by`, this one | a row of this table; with `columns`, the row that these name |
///
/// A kind alone, such as `#[constraint(unique)]`, says that the constraint exists. In its
/// parentheses:
///
/// | key | value |
/// | --- | --- |
/// | `message` | what people read; `{table}`, `{column}`, `{columns}`, `{constraint}` and `{referenced_table}` are filled in, `{{` is a brace |
/// | `code` | what programs read: letters, digits, `_`, `.`, `-`, `:` |
/// | `suggestion` | what the caller can do; the same placeholders |
/// | `name` | the constraint's name, where its columns do not tell it from another one |
/// | `columns(...)` | on the struct: the fields of its columns |
/// | `by` | with `restrict`: only where rows of this table, by its name in the database, still reference the row |
/// | `expose_values` | flag: allows `{value}`, the refused value, which is data of users |
///
/// And about the entity, on the struct:
///
/// | key | value | default |
/// | --- | --- | --- |
/// | `database` | name of the connection, where two databases have a table of this name | any |
/// | `crate` | path of the runtime crate | `::resilient_sea_orm` |
#[proc_macro_derive(ConstraintMessages, attributes(constraint))]
pub fn constraint_messages(item: TokenStream) -> TokenStream {
    constraint::derive(item.into()).into()
}

/// Says by which column the rows of an entity's table count as deleted.
///
/// On SeaORM's `Model`, in the classic format (`DeriveEntityModel`) and in the dense one. The
/// column's field is marked with `#[soft_delete]`; `db.table_reports(...)` then counts deleted
/// rows, and says when to clean up and which index is missing.
///
#[doc = include_str!("../doc/soft_delete.md")]
///
/// | type of the field | deleted |
/// | --- | --- |
/// | a time in an `Option` | if it has a value |
/// | `bool` | if it is true; how long ago is not known |
/// | an integer of 32 or 64 bits, also in an `Option` | if it is not 0: seconds or milliseconds since 1970 |
/// | a smaller integer | if it is not 0; how long ago is not known |
///
/// And about the entity, on the struct:
///
/// | key | value | default |
/// | --- | --- | --- |
/// | `database` | name of the connection, where two databases have a table of this name | any |
/// | `crate` | path of the runtime crate | `::resilient_sea_orm` |
#[proc_macro_derive(SoftDelete, attributes(soft_delete))]
pub fn soft_delete(item: TokenStream) -> TokenStream {
    soft_delete::derive(item.into()).into()
}

/// Lets `?` put database errors into an error enum of your own.
///
/// One variant is marked with `#[resilient(source)]`; the enum gets `From<resilient_sea_orm::Error>`
/// and `From<DbErr>`, so it can be the error of a `#[resilient]` method. The variant's one field
/// is an `Error`, a `Box` or `Arc` of one, a `DbErr`, or whatever else an `Error` turns into.
///
#[doc = include_str!("../doc/repository_error.md")]
///
/// Where the field has thiserror's `#[from]`, only the conversion that is then missing is added.
///
/// | key | place | value |
/// | --- | --- | --- |
/// | `source` | variant | flag: this one holds database errors |
/// | `crate` | enum, below the derive | path of the runtime crate, by default `::resilient_sea_orm` |
#[proc_macro_derive(RepositoryError, attributes(resilient))]
pub fn repository_error(item: TokenStream) -> TokenStream {
    repository_error::derive(item.into()).into()
}

/// The fault kinds that `on` knows, as a `&[&str]`, so that a test can compare them with core's.
#[doc(hidden)]
#[proc_macro]
pub fn __fault_kinds(_: TokenStream) -> TokenStream {
    let kinds = words::FAULT_KINDS;
    quote::quote!(&[#(#kinds),*]).into()
}
