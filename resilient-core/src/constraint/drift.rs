//! What was declared, compared with what the live schema has.

use super::{
    Catalogue, Constraint, ConstraintReport, Declaration, Drift, Finding, Rule, Table,
    matching::{Rank, Subject, says_the_same},
    names,
};
use crate::ConstraintKind;

/// Compares the declarations that are for the connection `database` with its live schema, both
/// ways.
///
/// Primary keys and `NOT NULL` columns without a rule are no finding: the entity's types tell of
/// them already.
pub fn compare(
    database: &str,
    catalogue: &Catalogue,
    declarations: &[Declaration],
) -> ConstraintReport {
    let mut report = ConstraintReport::new(database);
    let mut tables: Vec<(&Table, Vec<&Declaration>)> = Vec::new();
    for declaration in declarations {
        if declaration.database_name().is_some_and(|d| d != database) {
            continue;
        }
        report.rules += declaration.rules.len();
        match catalogue.table(declaration.schema_name(), &declaration.table) {
            Some(table) => match tables
                .iter_mut()
                .find(|(known, _)| std::ptr::eq(*known, table))
            {
                Some((_, all)) => all.push(declaration),
                None => tables.push((table, vec![declaration])),
            },
            None => report.findings.push(missing_table(declaration, catalogue)),
        }
    }
    report.tables = tables.len();
    for (table, declarations) in &tables {
        let view = View {
            database,
            catalogue,
            table,
        };
        duplicates(&view, declarations, &mut report.findings);
        for declaration in declarations {
            for rule in &declaration.rules {
                report.findings.extend(view.check(declaration, rule));
            }
        }
        for live in table.constraints.iter().filter(|live| !live.primary) {
            if !view.is_declared(declarations, live) {
                report.findings.push(undeclared(declarations[0], live));
            }
        }
    }
    report
}

fn missing_table(declaration: &Declaration, catalogue: &Catalogue) -> Finding {
    let elsewhere: Vec<&str> = catalogue
        .tables
        .iter()
        .filter(|table| table.name == declaration.table)
        .filter_map(|table| table.schema.as_deref())
        .collect();
    let help = if elsewhere.is_empty() {
        "there is no such table; if it is in another database, add \
         `#[constraint(database = \"...\")]` with the name of that connection"
            .to_owned()
    } else {
        format!(
            "the bare name means no table, but there is one in schema {}: add `schema_name`",
            elsewhere.join(", ")
        )
    };
    Finding::new(Drift::MissingTable, declaration, help)
}

/// One table of a live schema.
struct View<'a> {
    database: &'a str,
    catalogue: &'a Catalogue,
    table: &'a Table,
}

impl View<'_> {
    fn rank(&self, declaration: &Declaration, rule: &Rule, live: &Constraint) -> Option<Rank> {
        // A foreign key answers for both of its directions.
        let kind = match (rule.kind, live.kind) {
            (ConstraintKind::Restrict, ConstraintKind::ForeignKey) => ConstraintKind::Restrict,
            (_, kind) => kind,
        };
        // The table has been found already, and perhaps under a name in other letters.
        let mut subject = Subject::live(self.database, self.table, live, kind);
        subject.table = Some(&declaration.table);
        subject.schema = declaration.schema_name();
        subject.visible = None;
        subject.rank(declaration, rule)
    }

    /// Whether a rule speaks of the constraint; also one that is mistaken about its columns.
    fn is_declared(&self, declarations: &[&Declaration], live: &Constraint) -> bool {
        declarations.iter().any(|declaration| {
            let mut rules = declaration.rules.iter();
            rules.any(|rule| {
                let named = || match (&rule.name, &live.name) {
                    (Some(wanted), Some(actual)) => names::same_name(wanted, actual),
                    _ => false,
                };
                rule.kind == live.kind && (self.rank(declaration, rule, live).is_some() || named())
            })
        })
    }

    fn check(&self, declaration: &Declaration, rule: &Rule) -> Option<Finding> {
        match rule.kind {
            ConstraintKind::NotNull => self.check_not_null(declaration, rule),
            ConstraintKind::Restrict if !self.has_foreign_key(declaration, rule) => {
                self.check_references(declaration, rule)
            }
            ConstraintKind::Restrict => None,
            _ => self.check_constraint(declaration, rule),
        }
    }

    fn check_not_null(&self, declaration: &Declaration, rule: &Rule) -> Option<Finding> {
        let column = rule.columns().next()?;
        let live = self
            .table
            .columns
            .iter()
            .find(|c| c.name.eq_ignore_ascii_case(column));
        let help = match live {
            Some(live) if !live.nullable => return None,
            Some(_) => format!("the column {column:?} may be null"),
            None => format!("there is no column {column:?}"),
        };
        Some(Finding::of_rule(Drift::Missing, declaration, rule, help))
    }

    fn has_foreign_key(&self, declaration: &Declaration, rule: &Rule) -> bool {
        let mut live = self.table.constraints.iter();
        live.any(|live| {
            live.kind == ConstraintKind::ForeignKey && self.rank(declaration, rule, live).is_some()
        })
    }

    /// A `restrict` rule of a parent: somebody must reference it.
    fn check_references(&self, declaration: &Declaration, rule: &Rule) -> Option<Finding> {
        let referenced = self.catalogue.tables.iter().any(|child| {
            let by = rule.by.as_deref().is_none_or(|by| child.name == by);
            by && child.constraints.iter().any(|live| {
                let name = match (&rule.name, &live.name) {
                    (Some(wanted), Some(actual)) => names::same_name(wanted, actual),
                    (Some(_), None) => false,
                    (None, _) => true,
                };
                let parent = live.references.as_ref();
                name && parent.is_some_and(|r| r.table.eq_ignore_ascii_case(&declaration.table))
            })
        });
        if referenced {
            return None;
        }
        let help = match &rule.by {
            Some(by) => format!("no foreign key of {by:?} references this table"),
            None => "no foreign key references this table".to_owned(),
        };
        Some(Finding::of_rule(Drift::Missing, declaration, rule, help))
    }

    fn check_constraint(&self, declaration: &Declaration, rule: &Rule) -> Option<Finding> {
        let same_kind = || {
            self.table
                .constraints
                .iter()
                .filter(|live| live.kind == rule.kind)
        };
        let is_named = |live: &&Constraint| match (&rule.name, &live.name) {
            (Some(wanted), Some(actual)) => names::same_name(wanted, actual),
            _ => false,
        };
        if let Some(live) = same_kind().find(is_named) {
            if rule.columns.is_empty() || live.columns.is_empty() || same_columns(rule, live) {
                return None;
            }
            let help = format!("{} is on ({})", title(live), live.columns.join(", "));
            return Some(Finding::of_live(
                Drift::WrongColumns,
                declaration,
                rule,
                live,
                help,
            ));
        }
        let ranked = |live: &&Constraint| self.rank(declaration, rule, live).is_some();
        if let Some(live) = same_kind().find(ranked) {
            // One without a name of its own cannot have another one.
            return match (&rule.name, &live.name) {
                (Some(_), Some(actual)) => {
                    let help = format!("the schema calls it {actual:?}");
                    Some(Finding::of_live(
                        Drift::Renamed,
                        declaration,
                        rule,
                        live,
                        help,
                    ))
                }
                _ => None,
            };
        }
        let columns: Vec<&str> = rule.columns().collect();
        let called_so = |live: &&Constraint| {
            live.name.as_deref().is_some_and(|name| {
                names::is_generated(name, rule.kind, &declaration.table, &columns)
            })
        };
        if let Some(live) = same_kind().find(called_so) {
            let help = format!("{} is on ({})", title(live), live.columns.join(", "));
            return Some(Finding::of_live(
                Drift::WrongColumns,
                declaration,
                rule,
                live,
                help,
            ));
        }
        let others: Vec<String> = same_kind().map(title).collect();
        let help = if others.is_empty() {
            format!("the table has no {} constraint", rule.kind)
        } else {
            format!("the table has {}", others.join(", "))
        };
        Some(Finding::of_rule(Drift::Missing, declaration, rule, help))
    }
}

fn undeclared(declaration: &Declaration, live: &Constraint) -> Finding {
    let by_columns = matches!(
        live.kind,
        ConstraintKind::Unique | ConstraintKind::ForeignKey
    );
    let kind = live.kind;
    let attribute = match (&*live.columns, &live.name) {
        ([column], _) if by_columns => {
            format!("on the field {column:?}: `#[constraint({kind}(message = \"...\"))]`")
        }
        (columns, Some(name)) if columns.is_empty() || !by_columns => {
            format!("on the struct: `#[constraint({kind}(name = {name:?}, message = \"...\"))]`")
        }
        (columns, _) => {
            let columns = columns.join(", ");
            format!("on the struct: `#[constraint({kind}(columns({columns}), message = \"...\"))]`")
        }
    };
    let help = format!("{} has a default message only; {attribute}", title(live));
    Finding {
        kind: Some(kind),
        constraint: live.name.clone(),
        columns: live.columns.clone(),
        ..Finding::new(Drift::Undeclared, declaration, help)
    }
}

fn same_columns(rule: &Rule, live: &Constraint) -> bool {
    let mut wanted = rule.columns();
    rule.columns.len() == live.columns.len()
        && wanted.all(|w| live.columns.iter().any(|l| l.eq_ignore_ascii_case(w)))
}

/// Two declarations of one table that both speak of one constraint.
fn duplicates(view: &View<'_>, declarations: &[&Declaration], findings: &mut Vec<Finding>) {
    for (at, first) in declarations.iter().enumerate() {
        for second in &declarations[at + 1..] {
            for rule in &second.rules {
                let Some(other) = first
                    .rules
                    .iter()
                    .find(|other| same_subject(view, first, other, second, rule))
                else {
                    continue;
                };
                let help = if says_the_same(other, rule) {
                    format!("{} says the same; keep one of them", first.title())
                } else {
                    format!(
                        "{} says something else, so neither is used; keep one of them, or tell \
                         the tables apart by `schema_name` or `#[constraint(database = \"...\")]`",
                        first.title()
                    )
                };
                findings.push(Finding::of_rule(Drift::Duplicate, second, rule, help));
            }
        }
    }
}

fn same_subject(
    view: &View<'_>,
    first: &Declaration,
    a: &Rule,
    second: &Declaration,
    b: &Rule,
) -> bool {
    if a.kind != b.kind || a.by != b.by {
        return false;
    }
    let mut columns = a.columns();
    let alike = a.name == b.name
        && a.columns.len() == b.columns.len()
        && columns.all(|column| b.columns.iter().any(|other| other == column));
    alike
        || view.table.constraints.iter().any(|live| {
            let rank = view.rank(first, a, live);
            rank.is_some() && rank == view.rank(second, b, live)
        })
}

/// `unique "users_email_key" (email)`.
fn title(live: &Constraint) -> String {
    let name = live.name.as_ref().map(|name| format!(" {name:?}"));
    let columns = (!live.columns.is_empty()).then(|| format!(" ({})", live.columns.join(", ")));
    let (name, columns) = (name.unwrap_or_default(), columns.unwrap_or_default());
    format!("{}{name}{columns}", live.kind)
}
