use resilient_sea_orm::ConstraintMessages;

#[derive(ConstraintMessages)]
#[constraint(unique(columns = handle))]
#[constraint(foreign_key(columns("handle")))]
#[constraint(check(columns()))]
#[constraint(exclusion(columns))]
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
