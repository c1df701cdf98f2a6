//! Names of the user's that could be taken for ours, and a prelude that is not std's.
#![deny(warnings)]
#![allow(non_camel_case_types, dead_code)]

use resilient_sea_orm::prelude::resilient;

mod core {}
mod std {}
struct Ok;
struct Err;
struct Some;
struct None;
struct Option;
struct Box;
trait From {}
trait Future {}
trait Clone {}

pub struct Repo {
    db: resilient_sea_orm::prelude::ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn collides(
        &self,
        __call: u32,
        __scope: u32,
        __last: u32,
        __owned0: u32,
        call: u32,
        result: u32,
    ) -> resilient_sea_orm::prelude::Result<u32> {
        let __attempt = __call + __scope + __last;
        let __result = __owned0 + call + result;
        ::core::result::Result::Ok(__attempt + __result)
    }
}

fn main() {
    let _ = Repo::collides;
}
