use resilient_core::constraint::{Catalogue, ConstraintReport};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    Result,
    constraints::catalogue::{Which, load},
};

/// The end of `assert_constraints_declared!`.
#[track_caller]
pub fn assert_declared(report: Result<ConstraintReport>, errors_only: bool) {
    match report {
        Ok(report) if errors_only && report.errors().next().is_none() => {}
        Ok(report) => assert!(report.is_clean(), "{report}"),
        Err(error) => panic!("the constraints cannot be verified: {error}"),
    }
}

/// The live constraints of all tables, or of these.
pub async fn catalogue(
    db: &impl ConnectionTrait,
    tables: Option<&[(Option<&str>, &str)]>,
) -> Result<Catalogue, DbErr> {
    load(db, tables.map_or(Which::All, Which::Tables)).await
}
