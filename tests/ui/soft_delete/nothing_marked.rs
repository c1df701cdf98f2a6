#[derive(resilient_sea_orm::SoftDelete)]
pub struct Model {
    pub id: i32,
    pub deletedat: Option<i64>,
}

fn main() {}
