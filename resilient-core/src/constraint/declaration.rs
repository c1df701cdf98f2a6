//! [`Declaration`] and [`Rule`]: what a table's constraints mean to people.

use std::borrow::Cow;

use serde::Serialize;

use crate::ConstraintKind;

type Text = Cow<'static, str>;

/// What one entity says about the constraints of its table.
///
/// ```
/// use resilient_core::constraint::{Declaration, Rule};
/// let users = Declaration::of("users").rule(
///     Rule::unique(["email"])
///         .message("that e-mail address is already registered")
///         .code("email_taken"),
/// );
/// assert_eq!(users.table(), "users");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Declaration {
    pub(super) entity: Option<Text>,
    pub(super) database: Option<Text>,
    pub(super) schema: Option<Text>,
    pub(super) table: Text,
    pub(super) rules: Vec<Rule>,
}

impl Declaration {
    /// A table without any rule, in whatever schema its bare name means.
    pub fn of(table: impl Into<Text>) -> Self {
        Self {
            entity: None,
            database: None,
            schema: None,
            table: table.into(),
            rules: Vec::new(),
        }
    }

    /// Names the entity in reports: `my_app::user::Entity`.
    #[must_use]
    pub fn entity(mut self, path: impl Into<Text>) -> Self {
        self.entity = Some(path.into());
        self
    }

    /// The schema (on MySQL: the database), if the entity names one.
    #[must_use]
    pub fn schema(mut self, schema: Option<impl Into<Text>>) -> Self {
        self.schema = schema.map(Into::into);
        self
    }

    /// Only for the connection of this name, where two databases have a table of one name.
    #[must_use]
    pub fn database(mut self, connection: impl Into<Text>) -> Self {
        self.database = Some(connection.into());
        self
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The schema, if one is named.
    pub fn schema_name(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The connection it is for, if it is for one alone.
    pub fn database_name(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What reports call it: the entity, else the table.
    pub fn title(&self) -> &str {
        self.entity.as_deref().unwrap_or(&self.table)
    }
}

/// What to say when one constraint is violated.
///
/// It is for the constraint of that kind that has these columns, or this name. Where nothing is
/// said, defaults stand in: see [`Violation`](super::Violation).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rule {
    pub(super) kind: ConstraintKind,
    pub(super) name: Option<Text>,
    pub(super) columns: Vec<Text>,
    pub(super) by: Option<Text>,
    pub(super) message: Option<Text>,
    pub(super) code: Option<Text>,
    pub(super) suggestion: Option<Text>,
    pub(super) expose_values: bool,
}

impl Rule {
    /// A rule of any kind, for the constraint on these columns; without columns, give it a
    /// [`name`](Self::name).
    pub fn new<C: Into<Text>>(kind: ConstraintKind, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            kind,
            name: None,
            columns: columns.into_iter().map(Into::into).collect(),
            by: None,
            message: None,
            code: None,
            suggestion: None,
            expose_values: false,
        }
    }

    /// A unique or primary key on these columns, in any order.
    pub fn unique<C: Into<Text>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self::new(ConstraintKind::Unique, columns)
    }

    /// A foreign key on these columns: the parent row does not exist.
    pub fn foreign_key<C: Into<Text>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self::new(ConstraintKind::ForeignKey, columns)
    }

    /// A column that must have a value.
    pub fn not_null(column: impl Into<Text>) -> Self {
        Self::new(ConstraintKind::NotNull, [column])
    }

    /// A check constraint of this name.
    pub fn check(name: impl Into<Text>) -> Self {
        Self::new(ConstraintKind::Check, [""; 0]).name(name)
    }

    /// An exclusion constraint of this name.
    pub fn exclusion(name: impl Into<Text>) -> Self {
        Self::new(ConstraintKind::Exclusion, [""; 0]).name(name)
    }

    /// A row of this table is still referenced. Without columns, by any other table; with
    /// columns, it is the foreign key that this table has on them, seen from its parent.
    pub fn restrict<C: Into<Text>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self::new(ConstraintKind::Restrict, columns)
    }

    /// The constraint's name, where columns do not tell it from another one.
    #[must_use]
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// For [`restrict`](Self::restrict): only where rows of this table are the ones that still
    /// reference it.
    #[must_use]
    pub fn by(mut self, table: impl Into<Text>) -> Self {
        self.by = Some(table.into());
        self
    }

    /// What people read. `{table}`, `{column}`, `{columns}`, `{constraint}` and
    /// `{referenced_table}` stand for names of the schema; `{value}` for the refused value, if
    /// [`expose_values`](Self::expose_values) is set.
    #[must_use]
    pub fn message(mut self, message: impl Into<Text>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// What programs read: stable, whatever the language of the message.
    #[must_use]
    pub fn code(mut self, code: impl Into<Text>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// What the caller can do. The same placeholders as in [`message`](Self::message).
    #[must_use]
    pub fn suggestion(mut self, suggestion: impl Into<Text>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Lets `{value}` stand for the value that the server printed. It is a user's data: messages
    /// end up in logs and in other people's browsers.
    #[must_use]
    pub fn expose_values(mut self) -> Self {
        self.expose_values = true;
        self
    }

    /// The kind of constraint.
    pub fn kind(&self) -> ConstraintKind {
        self.kind
    }

    /// The explicit name.
    pub fn constraint(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| &**column)
    }

    /// What it is about, for reports: `unique (tenant_id, handle)`, `check "users_age_check"`.
    pub(super) fn title(&self) -> String {
        match &self.name {
            Some(name) if self.columns.is_empty() => format!("{} {name:?}", self.kind),
            Some(name) => format!("{} {name:?} ({})", self.kind, self.columns.join(", ")),
            None if self.columns.is_empty() => self.kind.to_string(),
            None => format!("{} ({})", self.kind, self.columns.join(", ")),
        }
    }

    /// The code, declared or made of what is declared, so that it is the same on every engine.
    pub(super) fn stable_code(&self, table: &str) -> String {
        let by = self.by.as_deref();
        let by = by.map(|by| format!("_by_{by}")).unwrap_or_default();
        match (&self.code, &self.name) {
            (Some(code), _) => code.to_string(),
            (None, Some(name)) => name.to_string(),
            (None, None) if self.columns.is_empty() => format!("{table}_{}{by}", self.kind),
            (None, None) => format!("{table}_{}_{}{by}", self.columns.join("_"), self.kind),
        }
    }
}
