#[derive(resilient_sea_orm::SoftDelete)]
pub enum Kind {
    A,
}

#[derive(resilient_sea_orm::SoftDelete)]
pub struct User {
    #[soft_delete]
    pub deleted: bool,
}

fn main() {}
