#[derive(ConstraintMessages)]
#[constraint(unique(columns(tenant, handle), mesage = "taken"))]
#[constraint(check(message = "{colum}"))]
pub struct Model {
    pub tenant_id: i32,
    pub handle: String,
    #[constraint(uniqe)]
    pub email: String,
}
::core::compile_error! {
    "unknown key of `unique` `mesage`, did you mean `message`?\nexpected one of `message`, `code`, `suggestion`, `name`, `columns`, `expose_values`"
}
::core::compile_error! {
    "unknown constraint `uniqe`, did you mean `unique`?\nexpected one of `unique`, `foreign_key`, `not_null`, `check`, `exclusion`, `restrict`"
}
::core::compile_error! {
    "unknown column `tenant`, did you mean `tenant_id`?\nexpected one of `tenant_id`, `handle`, `email`"
}
::core::compile_error! {
    "`check` on a struct needs `name = \"...\"` or `columns(...)`; for one column, put it on the field"
}
::core::compile_error! {
    "unknown placeholder `colum`, did you mean `column`?\nexpected one of `table`, `column`, `columns`, `constraint`, `referenced_table`, `value`; for a brace, write `{{` or `}}`"
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
::core::compile_error! {
    "`team` is a relation, not a column: put `#[constraint]` on `team_id`"
}
