use resilient_sea_orm::ConstraintMessages;

#[derive(ConstraintMessages)]
#[constraint()]
pub struct Model {
    #[constraint]
    pub id: i32,
    #[constraint = "unique"]
    pub email: String,
}

fn main() {}
