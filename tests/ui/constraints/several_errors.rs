use resilient_sea_orm::ConstraintMessages;

#[derive(ConstraintMessages)]
#[constraint(unique(columns(tenant, handle), mesage = "taken"))]
#[constraint(check(message = "{colum}"))]
#[constraint(database = "")]
pub struct Model {
    pub id: i32,
    pub tenant_id: i32,
    pub handle: String,
    #[constraint(uniqe)]
    #[constraint(unique(columns(email)))]
    pub email: String,
}

fn main() {
    // The struct is still there.
    let _ = |model: Model| model.email;
}
