//! No prelude, and items that an expansion with careless paths would pick up.
#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types, missing_docs, unreachable_pub)]

use ::robust::{ResilientConnection, resilient, sea_orm::ConnectionTrait as _};

pub mod alloc {}
pub mod core {}
pub mod resilient_core {}
pub mod resilient_sea_orm {}
pub mod robust {}
pub mod sea_orm {}
pub mod std {}
pub mod tokio {}

pub struct Attempt;
pub struct Box;
pub struct Call;
pub struct CallOptions;
pub struct Delay;
pub struct Duration;
pub struct Err;
pub struct Error;
pub struct FaultKind;
pub struct FaultSet;
pub struct IsolationLevel;
pub struct None;
pub struct Ok;
pub struct Option;
pub struct Owned;
pub struct Pool;
pub struct Result;
pub struct Scope;
pub struct Site;
pub struct Some;
pub struct Step;
pub struct String;
pub struct Vec;

pub trait Clone {
    fn clone(&self) {}
}
pub trait Connected {
    fn connection(&self) {}
}
pub trait From {
    fn from(&self) {}
}
pub trait Future {}
pub trait IntoFuture {
    fn into_future(self)
    where
        Self: ::core::marker::Sized,
    {
    }
}
pub trait ReplayArgument {
    fn replay(&self) {}
}
pub trait Send {}
pub trait Sync {}

// Methods that everything has: the expansion's own method calls must not become theirs.
impl<T> Clone for T {}
impl<T> Connected for T {}
impl<T> From for T {}
impl<T> IntoFuture for T {}
impl<T> ReplayArgument for T {}

pub fn call() {}
pub fn drop() {}
pub fn type_name() {}

#[allow(unused_macros)]
macro_rules! unreachable {
    () => {
        ::core::compile_error!("the expansion used a macro of the user's")
    };
}

pub struct Repo {
    pub db: ResilientConnection,
}

#[resilient(
    crate = ::robust,
    retries = 2,
    on = [contention, pool_timeout],
    isolation = "serializable",
    timeout = "30s",
    deadline = "60s",
    backoff = exponential(base = "1ms", max = "5ms", jitter = "equal")
)]
impl Repo {
    /// Arguments and locals that are called as the expansion's own.
    pub async fn collides(
        &self,
        __call: u32,
        __scope: u32,
        __last: u32,
        __owned0: u32,
        (call, result): (u32, u32),
    ) -> ::robust::Result<u32> {
        let __attempt = __call + __scope + __last;
        let __result = __owned0 + call + result;
        let __step = {
            let __error = 0;
            __error + __result - __result
        };
        self.db.execute_unprepared("SELECT 1").await?;
        ::core::result::Result::Ok(__attempt + __result + __step)
    }

    /// An owned argument that is replayed, where `Clone` is another trait.
    pub async fn replayed(&self, text: ::std::string::String) -> ::robust::Result<usize> {
        self.db.execute_unprepared("SELECT 1").await?;
        ::core::result::Result::Ok(text.len())
    }

    /// Without the loop.
    #[resilient(retries = 0)]
    pub async fn once(&mut self, out: &mut u32) -> ::robust::Result<()> {
        self.db.execute_unprepared("SELECT 1").await?;
        *out += 1;
        ::core::result::Result::Ok(())
    }
}

/// A free function, in a macro of the user's.
macro_rules! declares {
    ($name:ident, $value:expr) => {
        #[resilient(crate = ::robust, db = db)]
        pub async fn $name(db: &ResilientConnection, more: u32) -> ::robust::Result<u32> {
            db.execute_unprepared("SELECT 1").await?;
            ::core::result::Result::Ok($value + more)
        }
    };
}

declares!(declared, 40);
