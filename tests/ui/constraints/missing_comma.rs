use resilient_sea_orm::ConstraintMessages;

#[derive(ConstraintMessages)]
pub struct Model {
    pub id: i32,
    pub tenant_id: i32,
    pub handle: String,
    #[constraint(unique(message = "taken" code = "taken"))]
    pub email: String,
}

fn main() {
    // The struct is still there.
    let _ = |model: Model| model.email;
}
