#[derive(ConstraintMessages)]
#[constraint(unique(columns(tenant_id, r#type), message = "taken", code = "handle_taken"))]
#[constraint(
    check(name = "users_age_check", suggestion = "wait until {column} fits"),
    restrict(by = "orders", message = "there are orders"),
    database = "audit",
    crate = robust
)]
pub struct Model {
    pub tenant_id: i32,
    #[sea_orm(enum_name = "Kind")]
    pub r#type: String,
    #[constraint(unique(message = "{value} is registered", expose_values))]
    pub email: String,
    #[constraint(foreign_key(message = "no such team"), not_null)]
    pub team_id: i32,
    #[sea_orm(ignore)]
    pub computed: i32,
}

#[derive(ConstraintMessages)]
pub struct ModelEx {
    #[constraint(unique)]
    pub email: String,
}
