#[derive(ConstraintMessages)]
#[constraint(unique(columns(tenant, handle), mesage = "taken"))]
#[constraint(check(message = "{colum}"))]
pub struct Model {
    pub tenant_id: i32,
    pub handle: String,
    #[constraint(uniqe)]
    pub email: String,
}

#[derive(ConstraintMessages)]
pub struct ModelEx {
    #[constraint(uniqe)]
    pub email: String,
    pub team_id: i32,
    #[sea_orm(belongs_to, from = "team_id", to = "id")]
    #[constraint(foreign_key(message = "no such team"))]
    pub team: BelongsTo<super::team::Entity>,
}
