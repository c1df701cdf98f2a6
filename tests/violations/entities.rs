//! A crew and its sailors, with a constraint of nearly every kind.

pub mod crew {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "crew")]
    #[constraint(restrict(
        by = "sailor",
        message = "the crew still has sailors",
        code = "crew_in_use",
        suggestion = "let them sign off first"
    ))]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        #[constraint(unique(
            message = "{column} of {table} is given out once",
            code = "crew_taken"
        ))]
        pub id: i32,
        pub name: String,
        #[sea_orm(has_many)]
        pub sailors: HasMany<super::sailor::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod sailor {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "sailor")]
    #[constraint(unique(
        columns(ship, berth),
        message = "that berth is taken",
        code = "berth_taken"
    ))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        #[constraint(unique(message = "that address has signed on", code = "email_taken"))]
        pub email: String,
        #[sea_orm(unique_key = "berth")]
        pub ship: i32,
        #[sea_orm(unique_key = "berth")]
        pub berth: i32,
        #[sea_orm(extra = "CHECK (age >= 16)")]
        #[constraint(check(message = "too young to sail", code = "too_young"))]
        pub age: i32,
        #[constraint(not_null(message = "every sailor has a nickname", code = "nick_required"))]
        pub nick: String,
        #[constraint(foreign_key(message = "no such crew", code = "no_such_crew"))]
        pub crew_id: i32,
        #[sea_orm(belongs_to, from = "crew_id", to = "id")]
        pub crew: BelongsTo<super::crew::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
