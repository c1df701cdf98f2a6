//! Constraint violations as people understand them: what a table's constraints mean
//! ([`Declaration`], [`Rule`]), which of them an error is about ([`Violation`]), and whether the
//! live schema ([`Catalogue`]) still has what was declared ([`ConstraintReport`]).
//!
//! Declarations are written by `#[derive(ConstraintMessages)]` and found without being passed
//! around; [`register`] adds one by hand. Identities come from [`classify`](crate::classify) and
//! from the adapter's look at the catalogue; nothing here reads text that holds users' data,
//! unless a rule says `expose_values`.

mod catalogue;
mod declaration;
mod default_text;
mod drift;
mod matching;
mod names;
mod problem;
mod registry;
mod report;
mod resolver;
#[cfg(test)]
mod tests;
mod violation;

pub use catalogue::{Catalogue, Column, Constraint, Index, Parent, Reference, Table};
pub use declaration::{Declaration, Rule};
pub use drift::compare;
pub use names::columns_in_expression;
pub use problem::Problem;
pub use registry::{Registration, declarations, register};
pub use report::{ConstraintReport, Drift, Finding};
pub use resolver::{MessageResolver, Translation, set_message_resolver};
pub use violation::Violation;

#[doc(hidden)]
pub use inventory;
