//! The repository: a sign-up is one transaction, each try of a handle a savepoint in it.

use resilient_sea_orm::{RepositoryError, ResilientConnection, Result, Violation, resilient};
use sea_orm::{ActiveModelTrait, EntityTrait, PaginatorTrait, Set};

use crate::entities::{event, user, workspace};

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct SignUp {
    workspace: i32,
    handle: String,
    email: String,
}

impl SignUp {
    pub fn new(workspace: i32, handle: &str, email: &str) -> Self {
        Self {
            workspace,
            handle: handle.to_owned(),
            email: email.to_owned(),
        }
    }
}

/// Why nobody signed up.
#[derive(Debug, thiserror::Error, RepositoryError)]
pub enum SignUpError {
    #[error("none of the handles that were tried is free")]
    NoHandleLeft,
    #[error(transparent)]
    #[resilient(source)]
    Database(resilient_sea_orm::Error),
}

impl SignUpError {
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Database(error) => error.violation(),
            Self::NoHandleLeft => None,
        }
    }
}

pub struct Users {
    db: ResilientConnection,
}

impl Users {
    pub fn new(db: &ResilientConnection) -> Self {
        Self { db: db.clone() }
    }
}

#[resilient]
impl Users {
    pub async fn add_workspace(&self, id: i32, name: &str) -> Result<()> {
        let new = workspace::ActiveModel {
            id: Set(id),
            name: Set(name.to_owned()),
        };
        new.insert(&self.db).await?;
        Ok(())
    }

    pub async fn remove_workspace(&self, id: i32) -> Result<()> {
        workspace::Entity::delete_by_id(id).exec(&self.db).await?;
        Ok(())
    }

    /// The wanted handle, or the next free one after it.
    pub async fn sign_up(&self, wanted: SignUp) -> Result<user::Model, SignUpError> {
        self.note(format!("{} wants to sign up", wanted.email))
            .await?;
        for number in 0..5 {
            let handle = match number {
                0 => wanted.handle.clone(),
                n => format!("{}{n}", wanted.handle),
            };
            // On PostgreSQL a violation ends the transaction up to a savepoint: this call is
            // one, so what was noted above is still there.
            match self.add(&wanted, handle).await {
                Ok(user) => {
                    self.note(format!("{} signed up", user.handle)).await?;
                    return Ok(user);
                }
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(SignUpError::NoHandleLeft)
    }

    pub async fn add(&self, wanted: &SignUp, handle: String) -> Result<user::Model> {
        let new = user::ActiveModel {
            workspace_id: Set(wanted.workspace),
            handle: Set(handle),
            email: Set(wanted.email.clone()),
            ..Default::default()
        };
        Ok(new.insert(&self.db).await?)
    }

    pub async fn note(&self, what: String) -> Result<()> {
        let new = event::ActiveModel {
            what: Set(what),
            ..Default::default()
        };
        new.insert(&self.db).await?;
        Ok(())
    }

    /// Users and events.
    #[resilient(read_only)]
    pub async fn count(&self) -> Result<(u64, u64)> {
        let users = user::Entity::find().count(&self.db).await?;
        let events = event::Entity::find().count(&self.db).await?;
        Ok((users, events))
    }
}

/// Codes stay the same whatever the engine and the language.
fn is_taken(error: &resilient_sea_orm::Error) -> bool {
    let violation = error.violation();
    violation.is_some_and(|violation| violation.code() == "handle_taken")
}
