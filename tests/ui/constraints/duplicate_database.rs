use resilient_sea_orm::ConstraintMessages;

#[derive(ConstraintMessages)]
#[constraint(database = "audit")]
#[constraint(database = "main")]
pub struct Model {
    pub id: i32,
    pub tenant_id: i32,
    pub handle: String,
    pub email: String,
}

fn main() {
    // The struct is still there.
    let _ = |model: Model| model.email;
}
