//! Every kind, in every format of an entity, with every lint denied.
#![deny(warnings)]
#![forbid(unsafe_code)]

mod classic {
    use sea_orm::entity::prelude::*;

    #[derive(
        Clone, Debug, PartialEq, Eq, DeriveEntityModel, resilient_sea_orm::ConstraintMessages,
    )]
    #[sea_orm(table_name = "users", schema_name = "people")]
    #[constraint(
        unique(columns(tenant_id, r#type), message = "taken", code = "users.type-taken:1"),
        foreign_key(columns(tenant_id, team_id), message = "{columns} name no {referenced_table}"),
        check(name = "users_age_check", message = "{{{constraint}}} of {table}"),
        check(columns(tenant_id, team_id)),
    )]
    #[constraint(exclusion(name = "users_during"), exclusion(columns(team_id)))]
    #[constraint(restrict, restrict(by = "orders", suggestion = "cancel them"))]
    #[constraint(restrict(columns(tenant_id), name = "tenant_key"))]
    #[constraint(unique(name = "one_admin", message = "there is an admin"))]
    #[constraint(database = "audit", crate = ::resilient_sea_orm)]
    pub struct Model {
        #[sea_orm(primary_key)]
        #[constraint(unique)]
        pub id: i32,
        pub tenant_id: i32,
        #[constraint(unique(), not_null(message = "choose a type"), check, exclusion)]
        pub r#type: String,
        #[constraint(foreign_key(message = "no such team: {value}", expose_values))]
        #[constraint(restrict(by = "users"))]
        #[constraint(check(name = "a"), check(name = "b"))]
        pub team_id: i32,
        #[sea_orm(ignore)]
        pub computed: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod dense {
    use resilient_sea_orm::prelude::*;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "teams")]
    #[constraint(unique(columns(owner_id, name), message = "taken"))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[constraint(not_null)]
        pub name: String,
        #[constraint(foreign_key(message = "no such owner"))]
        pub owner_id: i32,
        #[sea_orm(belongs_to, from = "owner_id", to = "id")]
        pub owner: BelongsTo<super::compact::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod compact {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::compact_model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "owners")]
    #[constraint(restrict(message = "it owns teams"))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
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

/// In a macro of the user's, whose names come from elsewhere.
mod in_a_macro {
    macro_rules! entity {
        ($table:literal, $field:ident, $message:literal) => {
            use sea_orm::entity::prelude::*;

            #[derive(
                Clone, Debug, PartialEq, DeriveEntityModel, resilient_sea_orm::ConstraintMessages,
            )]
            #[sea_orm(table_name = $table)]
            #[constraint(check(name = "c", columns($field), message = $message))]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                #[constraint(unique(message = $message))]
                pub $field: String,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        };
    }

    entity!("things", label, "{column} is taken");
}

fn main() {
    let all = resilient_sea_orm::constraint::declarations();
    let mut tables: Vec<&str> = all.iter().map(|one| one.table()).collect();
    tables.sort_unstable();
    assert_eq!(tables, ["owners", "teams", "things", "users"]);
}
