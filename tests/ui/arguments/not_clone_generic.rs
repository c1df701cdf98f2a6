use resilient_sea_orm::prelude::*;

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read<T: AsRef<str>>(&self, token: T) -> Result<usize> {
        Ok(token.as_ref().len())
    }
}

fn main() {}
