#[derive(SoftDelete)]
#[soft_delete(database = "audit", crate = robust)]
pub struct Model {
    pub id: i32,
    #[sea_orm(enum_name = "Gone")]
    #[soft_delete]
    pub deleted_at: Option<DateTimeUtc>,
}
const _: () = {
    robust::__private::inventory::submit! {
        robust::__private::SoftDeleteRegistration::new(|| {
        robust::__private::soft_delete(& Entity, & Column::Gone,
        ::core::concat!(::core::module_path!(), "::Entity"),).database("audit") })
    }
};
#[derive(SoftDelete)]
pub struct ModelEx {
    #[soft_delete]
    pub deleted_at: Option<DateTimeUtc>,
}
