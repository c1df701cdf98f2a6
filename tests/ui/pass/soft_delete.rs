//! In every format of an entity, registered once, with every lint denied.
#![deny(warnings)]
#![forbid(unsafe_code)]

use resilient_sea_orm::health::soft_delete::{Marker, declarations};

mod classic {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, resilient_sea_orm::SoftDelete)]
    #[sea_orm(table_name = "users", schema_name = "people")]
    #[soft_delete(database = "audit", crate = ::resilient_sea_orm)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[soft_delete]
        #[sea_orm(column_name = "gone", enum_name = "Gone")]
        pub r#type: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod dense {
    use resilient_sea_orm::prelude::*;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages, SoftDelete)]
    #[sea_orm(table_name = "teams")]
    pub struct Model {
        #[sea_orm(primary_key)]
        #[constraint(unique)]
        pub id: i32,
        #[soft_delete]
        pub deleted: bool,
        pub owner_id: i32,
        #[sea_orm(belongs_to, from = "owner_id", to = "id")]
        pub owner: BelongsTo<super::small::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod small {
    use resilient_sea_orm::SoftDelete;
    use sea_orm::entity::prelude::*;

    #[sea_orm::compact_model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, SoftDelete)]
    #[sea_orm(table_name = "owners")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[soft_delete]
        pub deleted: i8,
        pub teams: HasMany<super::dense::Entity>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::dense::Entity")]
        Teams,
    }

    impl Related<super::dense::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Teams.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() {
    let all = declarations();
    let mut found: Vec<(&str, &str, Marker)> = all
        .iter()
        .map(|one| (one.table(), one.column(), one.marker()))
        .collect();
    found.sort_unstable_by_key(|one| one.0);
    assert_eq!(
        found,
        [
            ("owners", "deleted", Marker::Number),
            ("teams", "deleted", Marker::Flag),
            ("users", "gone", Marker::UnixTime),
        ]
    );
    let users = all.iter().find(|one| one.table() == "users").expect("there");
    assert_eq!(users.database_name(), Some("audit"));
    assert_eq!(users.schema_name(), Some("people"));
    assert!(users.title().ends_with("classic::Entity"));
}
