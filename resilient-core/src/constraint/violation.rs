//! [`Violation`]: a broken constraint, in words.

use std::{borrow::Cow, fmt};

use serde::Serialize;

use super::{
    MessageResolver, Problem, default_text, matching, matching::Subject,
    names::columns_in_expression, registry, resolver,
};
use crate::{ConstraintKind, Fault};

/// A broken constraint: which one, and what to say about it.
///
/// The words are those that were declared with `#[derive(ConstraintMessages)]`, else good
/// defaults. Nothing in it is a user's data, unless a rule says `expose_values`; so it can be
/// serialised into a response, though [`problem`](Self::problem) is the better form for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    kind: ConstraintKind,
    code: Cow<'static, str>,
    message: String,
    suggestion: Option<String>,
    constraint: Option<String>,
    schema: Option<String>,
    table: Option<String>,
    columns: Vec<String>,
    referenced_table: Option<String>,
    context: Option<Cow<'static, str>>,
    declared: bool,
    #[serde(skip)]
    value: Option<String>,
}

impl Violation {
    /// What a fault violates; `None` where it is no violation.
    pub fn of(fault: &Fault) -> Option<Self> {
        Self::with(fault, None, || None)
    }

    /// The same with the method that it happened in, and a way to the value that was refused,
    /// which is asked for only if the rule exposes it.
    pub fn with(
        fault: &Fault,
        context: Option<&'static str>,
        value: impl FnOnce() -> Option<String>,
    ) -> Option<Self> {
        let kind = fault.constraint_kind()?;
        let expression = fault.is_over_expressions();
        let columns = plain_columns(fault.columns(), expression);
        let subject = Subject::violated(fault, kind, &columns, expression);
        let declarations = registry::about(&subject);
        let found = matching::rule_for(&subject, declarations.iter().map(|one| &**one));
        let mut violation = Self {
            kind,
            code: match found {
                Some((declaration, rule)) => rule.stable_code(declaration.table()).into(),
                None => <&'static str>::from(kind).into(),
            },
            message: String::new(),
            suggestion: None,
            constraint: fault.constraint().map(str::to_owned),
            schema: fault.schema().map(str::to_owned),
            table: fault.table().map(str::to_owned),
            referenced_table: fault.referenced_table().map(str::to_owned),
            context: context.map(Cow::Borrowed),
            declared: found.is_some(),
            value: match found {
                Some((_, rule)) if rule.expose_values => value(),
                _ => None,
            },
            columns,
        };
        // What the engine could not name, the declaration can.
        if let Some((declaration, rule)) = found {
            if violation.columns.is_empty() {
                violation.columns = rule.columns().map(str::to_owned).collect();
            }
            if violation.table.is_none() {
                violation.table = Some(declaration.table().to_owned());
            }
        }
        let rule = found.map(|(_, rule)| rule);
        let (message, suggestion) =
            default_text::texts(kind, violation.table(), violation.columns());
        let declared =
            |text: &Option<Cow<'static, str>>| text.as_deref().map(|t| violation.fill(t));
        let said = rule.and_then(|rule| declared(&rule.message));
        // A default suggestion beside a declared message would be somebody else's voice.
        let advised = match rule {
            Some(rule) if rule.suggestion.is_some() => declared(&rule.suggestion),
            Some(rule) if rule.message.is_some() => None,
            _ => Some(suggestion),
        };
        violation.message = said.unwrap_or(message);
        violation.suggestion = advised;
        Some(match resolver::current() {
            Some(resolver) => violation.translated(&*resolver),
            None => violation,
        })
    }

    /// The same in the words of a resolver, or unchanged where it has none.
    #[must_use]
    pub fn translated(mut self, resolver: &(impl MessageResolver + ?Sized)) -> Self {
        if let Some(words) = resolver.resolve(&self) {
            self.message = self.fill(&words.message);
            self.suggestion = words.suggestion.map(|text| self.fill(&text));
        }
        self
    }

    /// A text with its placeholders filled: those of [`Rule::message`](super::Rule::message).
    /// Unknown ones are left as they are; `{{` is a brace.
    pub fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let brace = &rest[at..];
            if brace.starts_with("{{") || brace.starts_with("}}") {
                out.push_str(&brace[..1]);
                rest = &brace[2..];
                continue;
            }
            let filled = brace
                .find('}')
                .and_then(|end| Some((self.placeholder(brace.get(1..end)?)?, &brace[end + 1..])));
            let (value, tail) = filled.unwrap_or((Cow::Borrowed(&brace[..1]), &brace[1..]));
            out.push_str(&value);
            rest = tail;
        }
        out.push_str(rest);
        out
    }

    fn placeholder(&self, name: &str) -> Option<Cow<'_, str>> {
        let or = |text: Option<&'_ str>, without: &'static str| match text {
            Some(text) => Cow::Owned(text.to_owned()),
            None => Cow::Borrowed(without),
        };
        Some(match name {
            "table" => or(self.table(), "the table"),
            "column" => or(self.columns.first().map(String::as_str), "the value"),
            "columns" if self.columns.is_empty() => "the values".into(),
            "columns" => self.columns.join(", ").into(),
            "constraint" => or(self.constraint(), "the constraint"),
            "referenced_table" => or(self.referenced_table(), "the referenced table"),
            "value" => or(self.value.as_deref(), "the value"),
            _ => return None,
        })
    }

    /// The kind of constraint. `foreign_key` is "no such parent", `restrict` "still referenced".
    pub fn kind(&self) -> ConstraintKind {
        self.kind
    }

    /// The constraint's name, where the engine or its catalogue has one.
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    /// The schema of the table (on MySQL: its database), where that is known.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The table that has the constraint; for `restrict`, the one that still references.
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// The columns of the constraint; of one over expressions, those that they mention.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The table that a foreign key references, where that is known.
    pub fn referenced_table(&self) -> Option<&str> {
        self.referenced_table.as_deref()
    }

    /// What people read.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What programs read. Declared, or made of what is declared (`users_email_unique`), so that
    /// it is the same on every engine; without a declaration, the kind.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What the caller can do.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// The resilient method in which it happened, `Type::method`.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// Whether a rule was declared for it, so that the words are the application's own.
    pub fn is_declared(&self) -> bool {
        self.declared
    }

    /// The HTTP status that fits: 409 where other rows are in the way (`unique`, `exclusion`,
    /// `restrict`), 422 where the row itself cannot be stored.
    pub fn status(&self) -> u16 {
        match self.kind {
            ConstraintKind::Unique | ConstraintKind::Exclusion | ConstraintKind::Restrict => 409,
            ConstraintKind::ForeignKey | ConstraintKind::NotNull | ConstraintKind::Check => 422,
        }
    }

    /// The violation as an RFC 9457 problem document.
    pub fn problem(&self) -> Problem {
        Problem::of(self)
    }
}

/// The message.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Plain columns as they are; of expressions, what they mention.
fn plain_columns(columns: &[String], expressions: bool) -> Vec<String> {
    if !expressions {
        return columns.to_vec();
    }
    let mut plain: Vec<String> = Vec::new();
    for column in columns {
        for name in columns_in_expression(column) {
            if !plain.contains(&name) {
                plain.push(name);
            }
        }
    }
    plain
}
