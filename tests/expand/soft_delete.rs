#[derive(SoftDelete)]
#[soft_delete(database = "audit", crate = robust)]
pub struct Model {
    pub id: i32,
    #[sea_orm(enum_name = "Gone")]
    #[soft_delete]
    pub deleted_at: Option<DateTimeUtc>,
}

#[derive(SoftDelete)]
pub struct ModelEx {
    #[soft_delete]
    pub deleted_at: Option<DateTimeUtc>,
}
