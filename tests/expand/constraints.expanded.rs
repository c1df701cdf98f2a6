#[derive(ConstraintMessages)]
#[constraint(
    unique(columns(tenant_id, r#type), message = "taken", code = "handle_taken")
)]
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
const _: () = {
    robust::__private::inventory::submit! {
        robust::__private::Registration::new(|| { robust::__private::declaration(&
        Entity, ::core::concat!(::core::module_path!(), "::Entity"),).database("audit")
        .rule(robust::__private::rule(robust::__private::ConstraintKind::Unique,
        [robust::__private::column(& Column::TenantId), robust::__private::column(&
        Column::Kind)]).message("taken").code("handle_taken"))
        .rule(robust::__private::rule(robust::__private::ConstraintKind::Check, [])
        .name("users_age_check").suggestion("wait until {column} fits"))
        .rule(robust::__private::rule(robust::__private::ConstraintKind::Restrict, [])
        .by("orders").message("there are orders"))
        .rule(robust::__private::rule(robust::__private::ConstraintKind::Unique,
        [robust::__private::column(& Column::Email)]).message("{value} is registered")
        .expose_values())
        .rule(robust::__private::rule(robust::__private::ConstraintKind::ForeignKey,
        [robust::__private::column(& Column::TeamId)]).message("no such team"))
        .rule(robust::__private::rule(robust::__private::ConstraintKind::NotNull,
        [robust::__private::column(& Column::TeamId)])) })
    }
};
#[derive(ConstraintMessages)]
pub struct ModelEx {
    #[constraint(unique)]
    pub email: String,
}
