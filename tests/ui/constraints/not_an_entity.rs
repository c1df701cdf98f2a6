use resilient_sea_orm::ConstraintMessages;

#[derive(ConstraintMessages)]
pub enum Kind {
    A,
}

#[derive(ConstraintMessages)]
pub struct Tuple(i32);

#[derive(ConstraintMessages)]
pub struct User {
    pub id: i32,
}

mod generic {
    #[derive(resilient_sea_orm::ConstraintMessages)]
    pub struct Model<'a, T> {
        pub id: &'a T,
    }
}

fn main() {}
