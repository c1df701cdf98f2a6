//! What `#[derive(ConstraintMessages)]` registers, in every format of an entity.
#![cfg(feature = "macros")]
// Entities, as SeaORM's own examples have them.
#![allow(missing_docs, unreachable_pub)]

use resilient_sea_orm::{
    ConstraintKind,
    constraint::{Declaration, declarations},
    prelude::*,
};

mod users {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "users", schema_name = "people", rename_all = "camelCase")]
    #[constraint(unique(columns(tenant_id, handle), message = "that handle is taken"))]
    #[constraint(
        check(name = "users_age_check"),
        exclusion(columns(r#type, valid_from))
    )]
    #[constraint(
        restrict(by = "orders", message = "there are orders"),
        database = "audit"
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub tenant_id: i32,
        #[sea_orm(column_name = "nick")]
        pub handle: String,
        #[sea_orm(enum_name = "Kind")]
        pub r#type: String,
        pub valid_from: i32,
        #[sea_orm(unique)]
        #[constraint(unique(
            message = "{value} is registered",
            code = "email_taken",
            suggestion = "sign in",
            name = "users_email_key",
            expose_values
        ))]
        pub email: String,
        #[constraint(foreign_key(message = "no such team"), not_null)]
        #[constraint(restrict)]
        pub team_id: i32,
        #[sea_orm(ignore)]
        pub computed: i32,
        #[constraint(unique)]
        pub self_: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod teams {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "teams")]
    #[constraint(unique(columns(owner_id, name)))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[constraint(not_null)]
        pub name: String,
        #[constraint(foreign_key(message = "no such owner"))]
        pub owner_id: i32,
        #[sea_orm(belongs_to, from = "owner_id", to = "id")]
        pub owner: BelongsTo<super::owners::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod invoices {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    // Before SeaORM has made two structs of it.
    #[derive(ConstraintMessages)]
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoices")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[constraint(foreign_key(message = "no such owner"))]
        pub owner_id: i32,
        #[sea_orm(belongs_to, from = "owner_id", to = "id")]
        pub owner: BelongsTo<super::owners::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod owners {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::compact_model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "owners")]
    #[constraint(restrict(message = "it owns teams"))]
    pub struct Model {
        #[sea_orm(primary_key)]
        #[constraint(unique)]
        pub id: i32,
        pub teams: HasMany<super::teams::Entity>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::teams::Entity")]
        Teams,
    }

    impl Related<super::teams::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Teams.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The one declaration of a table.
fn declaration(table: &str) -> Declaration {
    let all = declarations();
    let mut found = all.iter().filter(|one| one.table() == table);
    let (Some(one), None) = (found.next(), found.next()) else {
        panic!("{table} is not declared exactly once: {all:?}");
    };
    one.clone()
}

/// Kind and columns of every rule.
fn rules(declaration: &Declaration) -> Vec<(ConstraintKind, Vec<&str>)> {
    let rules = declaration.rules().iter();
    rules
        .map(|rule| (rule.kind(), rule.columns().collect()))
        .collect()
}

#[test]
fn a_classic_entity() {
    use ConstraintKind::{Check, Exclusion, ForeignKey, NotNull, Restrict, Unique};
    let users = declaration("users");
    assert_eq!(users.title(), "declarations::users::Entity");
    assert_eq!(users.schema_name(), Some("people"));
    assert_eq!(users.database_name(), Some("audit"));
    assert_eq!(
        rules(&users),
        [
            (Unique, vec!["tenantId", "nick"]),
            (Check, vec![]),
            (Exclusion, vec!["type", "validFrom"]),
            (Restrict, vec![]),
            (Unique, vec!["email"]),
            (ForeignKey, vec!["teamId"]),
            (NotNull, vec!["teamId"]),
            (Restrict, vec!["teamId"]),
            (Unique, vec!["self"]),
        ]
    );
    // Every key arrives: the same as by hand.
    let by_hand = resilient_sea_orm::constraint::Rule::unique(["email"])
        .message("{value} is registered")
        .code("email_taken")
        .suggestion("sign in")
        .name("users_email_key")
        .expose_values();
    assert_eq!(users.rules()[4], by_hand);
    assert_eq!(users.rules()[1].constraint(), Some("users_age_check"));
}

#[test]
fn a_dense_entity_registers_once() {
    use ConstraintKind::{ForeignKey, NotNull, Unique};
    let teams = declaration("teams");
    assert_eq!(teams.title(), "declarations::teams::Entity");
    assert_eq!((teams.schema_name(), teams.database_name()), (None, None));
    assert_eq!(
        rules(&teams),
        [
            (Unique, vec!["owner_id", "name"]),
            (NotNull, vec!["name"]),
            (ForeignKey, vec!["owner_id"]),
        ]
    );
}

#[test]
fn a_dense_entity_may_have_the_derive_on_top() {
    let invoices = declaration("invoices");
    assert_eq!(invoices.title(), "declarations::invoices::Entity");
    assert_eq!(
        rules(&invoices),
        [(ConstraintKind::ForeignKey, vec!["owner_id"])]
    );
}

#[test]
fn a_compact_entity_registers_once() {
    use ConstraintKind::{Restrict, Unique};
    let owners = declaration("owners");
    assert_eq!(owners.title(), "declarations::owners::Entity");
    assert_eq!(rules(&owners), [(Restrict, vec![]), (Unique, vec!["id"])]);
}

#[derive(Debug, RepositoryError)]
enum Boxed {
    #[resilient(source)]
    Database(Box<Error>),
}

#[derive(Debug, RepositoryError)]
enum Plain {
    #[resilient(source)]
    Database { error: sea_orm::DbErr },
}

/// Two conversions, so that `?` could be used on both errors.
#[test]
fn an_error_of_the_users_keeps_what_ours_says() {
    let failed = || sea_orm::DbErr::RecordNotFound("account".to_owned());
    let Boxed::Database(from_theirs) = Boxed::from(failed());
    let Boxed::Database(from_ours) = Boxed::from(Error::from(failed()));
    assert_eq!(from_theirs.db_err(), Some(&failed()));
    assert_eq!(from_ours.db_err(), Some(&failed()));
    let Plain::Database { error } = Plain::from(Error::custom("no"));
    assert_eq!(Error::from(error).kind(), Error::custom("no").kind());
    let Plain::Database { error } = Plain::from(failed());
    assert_eq!(Error::from(error).db_err(), Some(&failed()));
}
