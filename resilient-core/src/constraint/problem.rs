//! [`Problem`]: a violation as an RFC 9457 problem document.

use serde::Serialize;

use super::Violation;
use crate::ConstraintKind;

/// A problem document, RFC 9457: what an HTTP API answers.
///
/// It serialises to the members of the RFC and four extensions: `code`, `kind`, `fields` and
/// `suggestion`. What tables and columns are called can be read from default codes and messages;
/// declare a `code` and a `message` where that is nobody's business.
///
/// ```
/// # use resilient_core::{classify::{Backend, ErrorReport}, constraint::Violation};
/// let fault = ErrorReport::new(Backend::Sqlite, "2067", "UNIQUE constraint failed: users.email")
///     .classify();
/// let problem = Violation::of(&fault).unwrap().problem();
/// assert_eq!(problem.status, 409);
/// assert_eq!(
///     serde_json::to_value(&problem).unwrap(),
///     serde_json::json!({
///         "type": "about:blank",
///         "title": "Conflict",
///         "status": 409,
///         "detail": "this email is already taken",
///         "code": "unique",
///         "kind": "unique",
///         "fields": ["email"],
///         "suggestion": "choose another email",
///     })
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// A URI that names the type of problem; `about:blank` says no more than the status.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The status' own phrase, unless it was set.
    pub title: String,
    /// 409 for what conflicts with other rows, 422 for what can never be stored like this.
    pub status: u16,
    /// The violation's message.
    pub detail: String,
    /// A URI of this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// [`Violation::code`].
    pub code: String,
    /// [`Violation::kind`].
    pub kind: ConstraintKind,
    /// [`Violation::columns`]; empty for `restrict`, whose columns are those of another table
    /// than the one that was written to.
    pub fields: Vec<String>,
    /// [`Violation::suggestion`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Problem {
    /// The media type of the serialised form.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    pub(super) fn of(violation: &Violation) -> Self {
        let status = violation.status();
        Self {
            type_uri: "about:blank".to_owned(),
            // RFC 9110's phrases, which RFC 9457 asks for beside `about:blank`.
            title: if status == 409 {
                "Conflict"
            } else {
                "Unprocessable Content"
            }
            .to_owned(),
            status,
            detail: violation.message().to_owned(),
            instance: None,
            code: violation.code().to_owned(),
            kind: violation.kind(),
            fields: match violation.kind() {
                ConstraintKind::Restrict => Vec::new(),
                _ => violation.columns().to_vec(),
            },
            suggestion: violation.suggestion().map(str::to_owned),
        }
    }

    /// Names the type of problem by a URI, and what it is called.
    #[must_use]
    pub fn with_type(mut self, uri: impl Into<String>, title: impl Into<String>) -> Self {
        self.type_uri = uri.into();
        self.title = title.into();
        self
    }

    /// Names this occurrence by a URI.
    #[must_use]
    pub fn with_instance(mut self, uri: impl Into<String>) -> Self {
        self.instance = Some(uri.into());
        self
    }
}
