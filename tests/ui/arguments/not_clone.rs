use resilient_sea_orm::prelude::*;

pub struct Token(String);

struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn read(&self, token: Token) -> Result<usize> {
        Ok(token.0.len())
    }
}

fn main() {}
