//! What `#[derive(ConstraintMessages)]` and `#[derive(SoftDelete)]` call: SeaORM's names for an
//! entity's table and columns.

use resilient_core::{
    ConstraintKind,
    constraint::{Declaration, Rule},
    health::soft_delete::{Marker, SoftDelete},
};
use sea_orm::{ColumnTrait, ColumnType, EntityName, IdenStatic};

/// The declaration of an entity's table, still without rules.
pub fn declaration<E: EntityName>(entity: &E, path: &'static str) -> Declaration {
    Declaration::of(entity.table_name().to_owned())
        .entity(path)
        .schema(entity.schema_name().map(str::to_owned))
}

/// The name of a column in the database.
pub fn column<C: IdenStatic>(column: &C) -> &'static str {
    column.as_str()
}

/// A rule for the constraint on these columns, or on those that its name will tell.
pub fn rule<const N: usize>(kind: ConstraintKind, columns: [&'static str; N]) -> Rule {
    Rule::new(kind, columns)
}

/// By which column the rows of an entity's table count as deleted. Its type says how.
pub fn soft_delete<E: EntityName, C: ColumnTrait>(
    entity: &E,
    column: &C,
    path: &'static str,
) -> SoftDelete {
    let marker = match column.def().get_column_type() {
        ColumnType::Boolean => Marker::Flag,
        // Too small for a time.
        ColumnType::TinyInteger
        | ColumnType::TinyUnsigned
        | ColumnType::SmallInteger
        | ColumnType::SmallUnsigned => Marker::Number,
        ColumnType::Integer
        | ColumnType::Unsigned
        | ColumnType::BigInteger
        | ColumnType::BigUnsigned => Marker::UnixTime,
        // Whatever the user calls it.
        _ => Marker::Timestamp,
    };
    SoftDelete::new(entity.table_name().to_owned(), column.as_str(), marker)
        .entity(path)
        .schema(entity.schema_name().map(str::to_owned))
}
