//! What expansions call. Not part of the public API.
#![allow(missing_docs)]

#[cfg(feature = "sqlx-dep")]
mod constraints;
mod declared;
mod replay;

use std::{rc::Rc, sync::Arc};

#[cfg(feature = "sqlx-dep")]
pub use constraints::{assert_declared, catalogue};
pub use declared::{column, declaration, rule, soft_delete};
pub use replay::{Owned, ReplayArgument};

pub use crate::Error;
pub use resilient_core::{
    CallOptions, CommitMode, ConstraintKind, FaultKind, FaultSet, IsolationLevel, Propagation,
    admission::Admission,
    call::{Call, Site, Step},
    constraint::{Registration, inventory},
    health::soft_delete::Registration as SoftDeleteRegistration,
    policy::{Delay, Jitter, RetryPolicy},
    turns::TurnKeys,
};

pub use sea_orm::DbErr;

use crate::{ResilientConnection, pool::Pool};

/// What `db = ...` can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connection that `#[resilient]` can use",
    label = "expected a `ResilientConnection`, or a reference or `Arc` of one",
    note = "name the connection with `#[resilient(db = self.connection)]`, and make one from \
            SeaORM's with `ResilientConnection::from(connection)`"
)]
pub trait Connected {
    fn connection(&self) -> &ResilientConnection;
}

impl Connected for ResilientConnection {
    fn connection(&self) -> &ResilientConnection {
        self
    }
}

macro_rules! through {
    ($($pointer:ty),*) => {$(
        impl<C: Connected + ?Sized> Connected for $pointer {
            fn connection(&self) -> &ResilientConnection {
                (**self).connection()
            }
        }
    )*};
}

through!(&C, &mut C, Arc<C>, Rc<C>, Box<C>);

pub fn call<C: Connected + ?Sized>(
    site: &'static Site,
    db: &C,
    type_name: Option<fn() -> &'static str>,
) -> Call<Pool> {
    site.enter(&db.connection().pool, type_name)
}

pub fn call_in_turn<C: Connected + ?Sized>(
    site: &'static Site,
    db: &C,
    type_name: Option<fn() -> &'static str>,
    keys: TurnKeys,
) -> Call<Pool> {
    site.enter_in_turn(&db.connection().pool, type_name, keys)
}
