//! What a repository needs: `use resilient_sea_orm::prelude::*;`

#[cfg(feature = "macros")]
pub use crate::{ConstraintMessages, RepositoryError, SoftDelete, resilient};
pub use crate::{
    Error, FaultKind, IsolationLevel, Outcome, ResilientConnection, Result, TransactOptions,
};
