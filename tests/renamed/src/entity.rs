//! The derives where every name that their expansions could reach for means something else.
#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types, missing_docs, unreachable_pub)]

use ::robust::{ConstraintMessages, RepositoryError};

pub mod core {}
pub mod inventory {}
pub mod resilient_core {}
pub mod resilient_sea_orm {}
pub mod robust {}
pub mod sea_orm {}
pub mod std {}

pub struct ConstraintKind;
pub struct DbErr;
pub struct Declaration;
pub struct Error;
pub struct Option;
pub struct Registration;
pub struct Result;
pub struct Rule;
pub struct Some;

pub trait From {
    fn from(&self) {}
}
pub trait Into {
    fn into(&self) {}
}
/// The builders' methods, for everything.
pub trait Builder {
    fn rule(&self) {}
    fn database(&self) {}
    fn message(&self) {}
    fn code(&self) {}
}

impl<T> From for T {}
impl<T> Into for T {}
impl<T> Builder for T {}

pub fn column() {}
pub fn declaration() {}
pub fn rule() {}

macro_rules! forbidden {
    ($($name:ident)*) => {$(
        #[allow(unused_macros)]
        macro_rules! $name {
            ($d:tt) => { ::core::compile_error!("the expansion used a macro of the user's") };
        }
    )*};
}

forbidden!(concat module_path submit);

/// An entity by hand: what SeaORM's own derives emit needs the prelude.
#[derive(
    ::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug, ::core::default::Default,
)]
pub struct Entity;

impl ::robust::sea_orm::Iden for Entity {
    fn unquoted(&self) -> &'static str {
        "hostile"
    }
}

impl ::robust::sea_orm::IdenStatic for Entity {
    fn as_str(&self) -> &'static str {
        "hostile"
    }
}

impl ::robust::sea_orm::EntityName for Entity {
    fn table_name(&self) -> &'static str {
        "hostile"
    }
}

#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub enum Column {
    Id,
    Type,
}

impl ::robust::sea_orm::Iden for Column {
    fn unquoted(&self) -> &'static str {
        ::robust::sea_orm::IdenStatic::as_str(self)
    }
}

impl ::robust::sea_orm::IdenStatic for Column {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Id => "the_id",
            Self::Type => "the_type",
        }
    }
}

#[derive(ConstraintMessages)]
#[constraint(crate = ::robust, database = "hostile")]
#[constraint(unique(columns(id, r#type), message = "{column} is taken", code = "taken"))]
#[constraint(check(name = "some_check"))]
pub struct Model {
    #[constraint(not_null)]
    pub id: u32,
    pub r#type: u32,
}

#[derive(RepositoryError)]
#[resilient(crate = ::robust)]
pub enum Failure<From> {
    Own(From),
    #[resilient(source)]
    Database(::robust::Error),
}
