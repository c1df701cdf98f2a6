//! The dependency under another name.
#![deny(warnings)]

extern crate resilient_sea_orm as renamed;

pub struct Repo {
    pool: renamed::prelude::ResilientConnection,
}

#[renamed::prelude::resilient(crate = renamed, db = self.pool)]
impl Repo {
    pub async fn covered(&self, text: String) -> renamed::prelude::Result<String> {
        Ok(text)
    }

    #[renamed::prelude::resilient(retries = 0)]
    pub async fn overridden(&self, text: String) -> renamed::prelude::Result<String> {
        Ok(text)
    }
}

fn main() {}
