mod teams {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "teams")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod users {
    use resilient_sea_orm::SoftDelete;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, SoftDelete)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[soft_delete]
        pub deleted: bool,
        pub team_id: i32,
        #[soft_delete]
        #[sea_orm(belongs_to, from = "team_id", to = "id")]
        pub team: BelongsTo<super::teams::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {}
