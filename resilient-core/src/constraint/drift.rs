//! What was declared, compared with what the live schema has.

use super::{
    Catalogue, Constraint, ConstraintReport, Declaration, Drift, Finding, Reference, Rule, Table,
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
            declarations,
        };
        duplicates(&view, &mut report.findings);
        for declaration in declarations {
            for rule in &declaration.rules {
                report.findings.extend(view.check(declaration, rule));
            }
        }
        for live in table.constraints.iter().filter(|live| !live.primary) {
            if !view.is_declared(live) && !view.is_of_a_part(live) {
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
        .filter(|table| table.name.eq_ignore_ascii_case(&declaration.table))
        .filter_map(|table| table.schema.as_deref())
        .collect();
    let help = if elsewhere.is_empty() {
        "there is no such table; if it is in another database, add \
         `#[constraint(database = \"...\")]` with the name of that connection"
            .to_owned()
    } else if declaration.schema_name().is_some() {
        format!("it is in schema {}", elsewhere.join(", "))
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
    /// Those of this table.
    declarations: &'a [&'a Declaration],
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

    /// The same whatever it is called: it may be the rule's under another name.
    fn rank_renamed(
        &self,
        declaration: &Declaration,
        rule: &Rule,
        live: &Constraint,
    ) -> Option<Rank> {
        let nameless = Constraint {
            name: None,
            ..live.clone()
        };
        self.rank(declaration, rule, &nameless)
    }

    /// Whether a rule speaks of the constraint; also one that is mistaken about its columns.
    fn is_declared(&self, live: &Constraint) -> bool {
        self.declarations.iter().any(|declaration| {
            declaration.rules.iter().any(|rule| {
                let ranked = || self.rank(declaration, rule, live).is_some();
                // Said to be renamed, which is enough to say about it.
                let renamed = || {
                    let mut all = self.table.constraints.iter();
                    !self.is_taken(live)
                        && !all.any(|live| live.kind == rule.kind && is_named(rule, live))
                        && self.rank_renamed(declaration, rule, live).is_some()
                };
                rule.kind == live.kind && (is_named(rule, live) || ranked() || renamed())
            })
        })
    }

    /// Whether a rule gives this name; it is that rule's, and not another one's under a new name.
    fn is_taken(&self, live: &Constraint) -> bool {
        let mut rules = self.declarations.iter().flat_map(|d| &d.rules);
        rules.any(|rule| rule.kind == live.kind && is_named(rule, live))
    }

    /// Whether it is a foreign key that PostgreSQL made for one partition of the parent, beside
    /// the one to the whole.
    fn is_of_a_part(&self, live: &Constraint) -> bool {
        let Some(parent) = &live.references else {
            return false;
        };
        let mut tables = self.catalogue.tables.iter();
        let part = tables.find(|t| t.name == parent.table && t.schema == parent.schema);
        let Some(whole) = part.and_then(|part| part.partition_of.as_ref()) else {
            return false;
        };
        self.table.constraints.iter().any(|other| {
            let to_whole = other
                .references
                .as_ref()
                .is_some_and(|r| r.table == whole.table && r.schema == whole.schema);
            to_whole && other.columns == live.columns
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
            let by = rule.by.as_deref();
            let by = by.is_none_or(|by| child.name.eq_ignore_ascii_case(by));
            by && child.constraints.iter().any(|live| {
                let named = rule.name.is_none() || is_named(rule, live);
                let reference = live.references.as_ref().filter(|r| self.is_it(r));
                let key = |reference: &Reference| {
                    rule.by.is_some()
                        || rule.columns.is_empty()
                        || same_columns(rule, &reference.columns)
                };
                named && reference.is_some_and(key)
            })
        });
        if referenced {
            return None;
        }
        let help = match &rule.by {
            Some(by) => format!("no foreign key of {by:?} references this table"),
            None if !rule.columns.is_empty() => {
                "the table has no foreign key on these columns, and none references them".to_owned()
            }
            None => "no foreign key references this table".to_owned(),
        };
        Some(Finding::of_rule(Drift::Missing, declaration, rule, help))
    }

    fn is_it(&self, parent: &Reference) -> bool {
        let schema = parent.schema.is_none() || parent.schema == self.table.schema;
        schema && parent.table.eq_ignore_ascii_case(&self.table.name)
    }

    fn check_constraint(&self, declaration: &Declaration, rule: &Rule) -> Option<Finding> {
        let same_kind = || {
            self.table
                .constraints
                .iter()
                .filter(|live| live.kind == rule.kind)
        };
        let wrong_columns = |live: &Constraint| {
            let help = format!("{} is on ({})", title(live), live.columns.join(", "));
            Finding::of_live(Drift::WrongColumns, declaration, rule, live, help)
        };
        if let Some(live) = same_kind().find(|live| is_named(rule, live)) {
            let unknown = rule.columns.is_empty() || live.columns.is_empty();
            return (!unknown && !same_columns(rule, &live.columns)).then(|| wrong_columns(live));
        }
        // A rule with a name of its own is not about what other rules name.
        let ranked = |live: &&Constraint| {
            let others = rule.name.is_some() && self.is_taken(live);
            let rank = self.rank(declaration, rule, live);
            let rank = rank.or_else(|| self.rank_renamed(declaration, rule, live));
            !others && rank.is_some()
        };
        if let Some(live) = same_kind().find(ranked) {
            return match (&rule.name, &live.name) {
                // MySQL calls every primary key PRIMARY.
                (Some(_), Some(actual)) if !live.primary => {
                    let help = format!("the schema calls it {actual:?}");
                    Some(Finding::of_live(
                        Drift::Renamed,
                        declaration,
                        rule,
                        live,
                        help,
                    ))
                }
                // One without a name of its own cannot have another one.
                _ => None,
            };
        }
        let columns: Vec<&str> = rule.columns().collect();
        let called_so = |live: &&Constraint| {
            let name = live.name.as_deref().unwrap_or_default();
            names::is_generated(name, rule.kind, &declaration.table, &columns)
                && !self.is_declared(live)
        };
        if let Some(live) = same_kind().find(called_so) {
            return Some(wrong_columns(live));
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

fn is_named(rule: &Rule, live: &Constraint) -> bool {
    match (&rule.name, &live.name) {
        (Some(wanted), Some(actual)) => names::same_name(wanted, actual),
        _ => false,
    }
}

fn same_columns(rule: &Rule, live: &[String]) -> bool {
    let mut wanted = rule.columns();
    rule.columns.len() == live.len()
        && wanted.all(|w| live.iter().any(|l| l.eq_ignore_ascii_case(w)))
}

/// Two declarations of one table that both speak of one constraint, and neither of which is more
/// exact about where the table is.
fn duplicates(view: &View<'_>, findings: &mut Vec<Finding>) {
    let exact = |d: &Declaration| d.database_name().is_some() || d.schema_name().is_some();
    for (at, first) in view.declarations.iter().enumerate() {
        for second in &view.declarations[at + 1..] {
            if exact(first) != exact(second) {
                continue;
            }
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

#[cfg(test)]
mod tests;
