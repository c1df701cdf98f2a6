//! [`Problem`]: everything that is not a success is answered as an RFC 9457 problem document.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use resilient_sea_orm::{ConstraintKind, Error, FaultKind, Outcome, Violation, constraint};
use serde::Serialize;

use crate::repositories::{AskError, TransferError};

const ASK_OR_SEND: &str =
    "ask for it, or send the same request with the same Idempotency-Key again";

/// What went wrong, for the program that asked (`code`) and the person behind it (`detail`).
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Members>);

#[derive(Clone, Debug, Serialize)]
struct Members {
    #[serde(rename = "type")]
    type_uri: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<ConstraintKind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
}

impl Problem {
    /// A problem with a code that never changes and words that may.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(Box::new(Members {
            type_uri: "about:blank",
            title: match status {
                // RFC 9110 has renamed it.
                StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Content",
                _ => status.canonical_reason().unwrap_or("Error"),
            },
            status: status.as_u16(),
            detail: detail.into(),
            code: code.into(),
            kind: None,
            fields: Vec::new(),
            suggestion: None,
            instance: None,
            outcome: None,
            ask: None,
        }))
    }

    /// What the request says cannot be done: 422.
    pub fn refused(code: &'static str, field: &str, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        problem.0.fields = vec![field.to_owned()];
        problem
    }

    /// There is nothing at this address: 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// What the caller can do.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.0.suggestion = Some(suggestion.into());
        self
    }

    /// The thing that it is about.
    #[must_use]
    pub fn about(mut self, instance: impl Into<String>) -> Self {
        self.0.instance = Some(instance.into());
        self
    }

    /// Of a transfer. Where the outcome is unknown, it says where to ask.
    pub fn of_transfer(error: TransferError, id: &str) -> Self {
        let instance = format!("/transfers/{id}");
        let problem = match error {
            TransferError::InsufficientFunds => {
                Self::refused("insufficient_funds", "cents", error.to_string())
                    .suggest("move less, or put money into the account first")
            }
            TransferError::NoSuchAccount(field) => {
                Self::refused("no_such_account", field, error.to_string())
            }
            TransferError::KeyReused => Self::refused(
                "idempotency_key_reused",
                "Idempotency-Key",
                error.to_string(),
            )
            .suggest("make a new key for each transfer"),
            TransferError::Database(error) => {
                let token = error.commit_token();
                // By another attempt of the client's, whose answer may have been lost.
                let nothing = "this request stored nothing; an earlier one with this key may have";
                let mut problem = Self::of_storing(&error, nothing);
                if problem.0.outcome == Some(Outcome::Unknown) {
                    problem = problem.suggest(ASK_OR_SEND);
                    problem.0.ask = Some(match token {
                        Some(token) => format!("{instance}?commit={token}"),
                        None => instance.clone(),
                    });
                }
                problem
            }
        };
        problem.about(instance)
    }

    /// Of a request that stores nothing and was only asking: there is no outcome to tell.
    pub fn of_read(error: &Error) -> Self {
        let problem = if passes(error) || error.outcome() == Outcome::Unknown {
            let detail = "the database cannot answer at the moment";
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "try_again", detail)
                .suggest("ask again in a moment")
        } else {
            let detail = "something is wrong on our side";
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
        };
        problem.logged(error)
    }

    /// Of a request that stores something.
    pub fn of_write(error: &Error) -> Self {
        Self::of_storing(error, "this request stored nothing")
    }

    /// Of the question what became of a transfer.
    pub fn of_asking(error: &AskError, id: &str) -> Self {
        let problem = match error {
            AskError::Read(error) => Self::of_read(error),
            AskError::Commit(error) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome_unknown",
                "nobody can tell what became of that attempt",
            )
            .suggest(ASK_OR_SEND)
            .logged(error),
        };
        problem.about(format!("/transfers/{id}"))
    }

    /// `nothing` is what is said where this request stored nothing.
    fn of_storing(error: &Error, nothing: &str) -> Self {
        if let Some(violation) = error.violation() {
            return Self::of_violation(violation);
        }
        let outcome = error.outcome();
        let mut problem = match outcome {
            Outcome::Unknown => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "outcome_unknown",
                "the connection to the database was lost while the work was being stored; it may \
                 be stored or not",
            )
            .suggest("send the same request again: what is stored is not stored a second time"),
            Outcome::Committed => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "something is wrong on our side; what was asked for is stored all the same",
            ),
            // Not sent, or rolled back.
            _ if passes(error) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "try_again",
                format!("the database cannot do this at the moment; {nothing}"),
            )
            .suggest("send the same request again in a moment"),
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                format!("something is wrong on our side; {nothing}"),
            ),
        };
        problem.0.outcome = Some(outcome);
        problem.logged(error)
    }

    fn logged(self, error: &Error) -> Self {
        if self.0.status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(%error, code = self.0.code, "a request was not served");
        } else {
            tracing::error!(%error, code = self.0.code, "a request has failed");
        }
        self
    }

    fn of_violation(violation: &Violation) -> Self {
        let from = violation.problem();
        let status = StatusCode::from_u16(from.status);
        let mut problem = Self::new(
            status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
            from.code,
            from.detail,
        );
        problem.0.kind = Some(from.kind);
        problem.0.fields = from.fields;
        problem.0.suggestion = from.suggestion;
        problem
    }
}

/// Whether the same may be possible in a moment.
fn passes(error: &Error) -> bool {
    error.is_transient() || error.kind() == FaultKind::StatementTimeout
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static(constraint::Problem::MEDIA_TYPE);
        headers.insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
