//! Which rule a constraint belongs to.

use super::{Constraint, Declaration, Rule, Table, names};
use crate::{ConstraintKind, Fault, classify::Backend};

/// A constraint, violated or found in a catalogue, with what is known about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) kind: ConstraintKind,
    pub(super) database: Option<&'a str>,
    pub(super) schema: Option<&'a str>,
    pub(super) table: Option<&'a str>,
    /// Whether the table's bare name means it.
    pub(super) visible: Option<bool>,
    pub(super) name: Option<&'a str>,
    pub(super) columns: &'a [String],
    /// Names of tables are the same in other letters.
    pub(super) ignore_case: bool,
    /// The columns are those that an expression mentions.
    pub(super) expression: bool,
    pub(super) referenced_schema: Option<&'a str>,
    pub(super) referenced_table: Option<&'a str>,
    pub(super) referenced_columns: &'a [String],
}

/// How surely a rule is about a constraint; the surest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// An expression over the rule's columns.
    Expression,
    /// Whatever still references the rule's table.
    AnyReference,
    /// It is called what such a constraint is called, and its columns are not known.
    GeneratedName,
    /// The same columns.
    Columns,
    /// What still references the rule's table is the table that the rule names.
    ReferenceBy,
    /// The name that the rule gives.
    Name,
}

impl<'a> Subject<'a> {
    /// What a fault is about; `columns` without expressions.
    pub(super) fn violated(
        fault: &'a Fault,
        kind: ConstraintKind,
        columns: &'a [String],
        expression: bool,
    ) -> Self {
        Self {
            kind,
            database: fault.database(),
            schema: fault.schema(),
            table: fault.table(),
            visible: fault.is_visible(),
            name: fault.constraint(),
            columns,
            expression,
            ignore_case: fault.backend().is_some_and(|b| b != Backend::Postgres),
            referenced_schema: fault.referenced_schema(),
            referenced_table: fault.referenced_table(),
            referenced_columns: fault.referenced_columns(),
        }
    }

    /// A live constraint, as a violation of `kind` would show it.
    pub(super) fn live(
        database: &'a str,
        table: &'a Table,
        constraint: &'a Constraint,
        kind: ConstraintKind,
    ) -> Self {
        Self {
            kind,
            database: Some(database),
            schema: table.schema.as_deref(),
            table: Some(&table.name),
            visible: Some(table.visible),
            name: constraint.name.as_deref(),
            columns: &constraint.columns,
            expression: constraint.expression,
            ignore_case: true,
            referenced_schema: constraint
                .references
                .as_ref()
                .and_then(|r| r.schema.as_deref()),
            referenced_table: constraint.references.as_ref().map(|r| r.table.as_str()),
            referenced_columns: constraint
                .references
                .as_ref()
                .map_or(&[], |reference| &reference.columns),
        }
    }

    /// Whether the declaration is about the constraint's table.
    pub(super) fn is_on(&self, declaration: &Declaration) -> bool {
        self.is_called(self.table, declaration) && self.is_in(declaration)
    }

    fn is_called(&self, table: Option<&str>, declaration: &Declaration) -> bool {
        table.is_some_and(|table| {
            table == declaration.table()
                || (self.ignore_case && table.eq_ignore_ascii_case(declaration.table()))
        })
    }

    fn is_in(&self, declaration: &Declaration) -> bool {
        let database = match (declaration.database_name(), self.database) {
            (Some(wanted), Some(actual)) => wanted == actual,
            (Some(_), None) => false,
            (None, _) => true,
        };
        let schema = match (declaration.schema_name(), self.schema) {
            (Some(wanted), Some(actual)) => wanted == actual,
            // The engine said nothing, so it is not somewhere else than the bare name says.
            (Some(_), None) => self.visible != Some(true),
            (None, _) => self.visible != Some(false),
        };
        database && schema
    }

    /// How surely the rule is about this constraint, if it is at all.
    pub(super) fn rank(&self, declaration: &Declaration, rule: &Rule) -> Option<Rank> {
        if rule.kind != self.kind {
            return None;
        }
        let named = match (&rule.name, self.name) {
            (Some(wanted), Some(actual)) => names::same_name(wanted, actual),
            _ => false,
        };
        let as_child = || self.rank_on_table(declaration, rule, named);
        let as_parent = || self.rank_on_parent(declaration, rule, named);
        match self.kind {
            ConstraintKind::Restrict => as_child().max(as_parent()),
            _ => as_child(),
        }
    }

    fn rank_on_table(&self, declaration: &Declaration, rule: &Rule, named: bool) -> Option<Rank> {
        if self.table.is_none() {
            // A domain's check: a name is all there is. Keys share their names with those of
            // other tables.
            let check = self.kind == ConstraintKind::Check;
            return (named && check && self.is_in(declaration)).then_some(Rank::Name);
        }
        if rule.by.is_some() || !self.is_on(declaration) {
            return None;
        }
        if named {
            return Some(Rank::Name);
        }
        let columns: Vec<&str> = rule.columns().collect();
        if columns.is_empty() {
            return None;
        }
        let generated = || {
            self.name.is_some_and(|name| {
                names::is_generated(name, rule.kind, &declaration.table, &columns)
            })
        };
        // Another constraint that somebody has named may well be on the same columns.
        let primary = || {
            self.name
                .is_some_and(|n| n == "PRIMARY" || n.ends_with("_pkey"))
        };
        if rule.name.is_some() && self.name.is_some() && !generated() && !primary() {
            return None;
        }
        let same = same_columns(&columns, self.columns);
        match (same, self.expression) {
            (true, false) => Some(Rank::Columns),
            (true, true) => Some(Rank::Expression),
            (false, _) => (self.columns.is_empty() && generated()).then_some(Rank::GeneratedName),
        }
    }

    /// A `restrict` rule of the table that is still referenced.
    fn rank_on_parent(&self, declaration: &Declaration, rule: &Rule, named: bool) -> Option<Rank> {
        let parent = self.is_called(self.referenced_table, declaration);
        let database = declaration
            .database_name()
            .is_none_or(|wanted| self.database == Some(wanted));
        // A foreign key nearly always stays in its schema.
        let actual = self.referenced_schema.or(self.schema);
        let beside = actual == self.schema;
        let schema = match declaration.schema_name() {
            Some(wanted) => actual.is_none_or(|actual| wanted == actual),
            // What the bare name means is only known of the child's schema.
            None => !beside || self.visible != Some(false),
        };
        if !(parent && database && schema) {
            return None;
        }
        match &rule.by {
            _ if named => Some(Rank::Name),
            Some(by) => {
                let child = self.table.is_some_and(|table| {
                    table == &**by || (self.ignore_case && table.eq_ignore_ascii_case(by))
                });
                child.then_some(Rank::ReferenceBy)
            }
            None if rule.name.is_some() => None,
            // A key that is referenced, else a foreign key of the table itself.
            None => {
                let columns: Vec<&str> = rule.columns().collect();
                let key = columns.is_empty() || same_columns(&columns, self.referenced_columns);
                key.then_some(Rank::AnyReference)
            }
        }
    }
}

/// The same columns, in any order.
fn same_columns(wanted: &[&str], actual: &[String]) -> bool {
    wanted.len() == actual.len() && wanted.iter().all(|w| actual.iter().any(|a| a == w))
}

/// The rule for a violated constraint. None where two declarations that say different things are
/// equally about it: choosing one would be luck.
pub(super) fn rule_for<'a>(
    subject: &Subject<'_>,
    declarations: impl IntoIterator<Item = &'a Declaration>,
) -> Option<(&'a Declaration, &'a Rule)> {
    let mut best: Option<((usize, Rank), &Declaration, &Rule)> = None;
    let mut contested = false;
    for declaration in declarations {
        // One that names the connection or the schema is more to the point than one that does not.
        let exact = usize::from(declaration.database_name().is_some())
            + usize::from(declaration.schema_name().is_some());
        for rule in declaration.rules() {
            let Some(rank) = subject.rank(declaration, rule) else {
                continue;
            };
            let rank = (exact, rank);
            match best {
                Some((top, ..)) if top > rank => {}
                Some((top, _, other)) if top == rank => {
                    contested |= !says_the_same(other, rule);
                }
                _ => {
                    best = Some((rank, declaration, rule));
                    contested = false;
                }
            }
        }
    }
    let (_, declaration, rule) = best?;
    if contested {
        tracing::warn!(
            target: "resilient",
            table = declaration.table(),
            rule = rule.title(),
            "several entities say different things about this constraint, so none is used; \
             verify_constraints() names them",
        );
        return None;
    }
    Some((declaration, rule))
}

/// Whether two rules answer alike.
pub(super) fn says_the_same(a: &Rule, b: &Rule) -> bool {
    (&a.message, &a.code, &a.suggestion, a.expose_values)
        == (&b.message, &b.code, &b.suggestion, b.expose_values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, FaultKind};

    /// What is said when a row of "users" is deleted that "orders" still references.
    fn rule_about_orders(rule: Rule) -> bool {
        let fault = Fault::new(FaultKind::Restrict, Effect::Statement)
            .with_constraint(Some("orders_user_id_fkey"))
            .with_table(None::<String>, "orders")
            .with_columns(["user_id"])
            .with_reference(None::<String>, "users", ["id"]);
        let subject = Subject::violated(&fault, ConstraintKind::Restrict, fault.columns(), false);
        rule_for(&subject, &[Declaration::of("users").rule(rule)]).is_some()
    }

    #[test]
    fn a_restrict_rule_on_columns_is_about_its_own_foreign_key() {
        assert!(rule_about_orders(Rule::restrict([""; 0])));
        assert!(rule_about_orders(Rule::restrict([""; 0]).by("orders")));
        assert!(rule_about_orders(Rule::restrict(["id"]).by("orders")));
        // "The team still has users": nothing about orders.
        assert!(!rule_about_orders(Rule::restrict(["team_id"])));
        assert!(!rule_about_orders(Rule::restrict([""; 0]).by("invoices")));
    }
}
