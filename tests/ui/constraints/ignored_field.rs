mod users {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "users")]
    #[constraint(unique(columns(id, computed)))]
    #[constraint(unique(columns(mail)))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(column_name = "mail")]
        pub email: String,
        #[sea_orm(ignore)]
        #[constraint(unique)]
        pub computed: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {}
