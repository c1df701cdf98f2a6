use resilient_sea_orm::ConstraintMessages;

#[derive(ConstraintMessages)]
#[constraint(unique(columns(tenant_id, handle)))]
#[constraint(unique(columns(handle, tenant_id), message = "taken"))]
#[constraint(check(name = "age"), check(name = "age", message = "too young"))]
#[constraint(restrict(by = "orders"), restrict(by = "orders"))]
pub struct Model {
    pub id: i32,
    pub tenant_id: i32,
    pub handle: String,
    #[constraint(unique(message = "taken"))]
    #[constraint(not_null, unique)]
    #[constraint(not_null(message = "missing"))]
    pub email: String,
}

fn main() {
    // The struct is still there.
    let _ = |model: Model| model.email;
}
