//! Workspaces, their users, and what happened to them.

use resilient_sea_orm::{ResilientConnection, Result};
use sea_orm::ConnectionTrait;

pub mod workspace {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "signup_workspace")]
    #[constraint(restrict(
        message = "this workspace still has users",
        code = "workspace_in_use",
        suggestion = "move its users first"
    ))]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        #[sea_orm(has_many)]
        pub users: HasMany<super::user::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod user {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "signup_user")]
    #[constraint(unique(
        columns(workspace_id, handle),
        message = "that handle is taken in this workspace",
        code = "handle_taken",
        suggestion = "try another one"
    ))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique_key = "workspace_handle")]
        #[constraint(foreign_key(message = "there is no such workspace", code = "no_workspace"))]
        pub workspace_id: i32,
        #[sea_orm(unique_key = "workspace_handle", extra = "CHECK (length(handle) >= 2)")]
        #[constraint(check(
            message = "a handle has at least two letters",
            code = "handle_too_short"
        ))]
        pub handle: String,
        #[sea_orm(unique)]
        #[constraint(unique(
            message = "that e-mail address is already registered",
            code = "email_taken",
            suggestion = "sign in instead"
        ))]
        pub email: String,
        #[sea_orm(belongs_to, from = "workspace_id", to = "id")]
        pub workspace: BelongsTo<super::workspace::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod event {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "signup_event")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub what: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Fresh tables, by SeaORM's schema builder.
pub async fn create(db: &ResilientConnection) -> Result<()> {
    for table in ["signup_event", "signup_user", "signup_workspace"] {
        let sql = format!("DROP TABLE IF EXISTS {table}");
        db.execute_unprepared(&sql).await?;
    }
    db.get_schema_builder()
        .register(workspace::Entity)
        .register(user::Entity)
        .register(event::Entity)
        .apply(db)
        .await?;
    Ok(())
}
