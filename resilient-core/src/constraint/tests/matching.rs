use super::super::{
    Declaration, Rule,
    matching::{Subject, rule_for},
};
use crate::{ConstraintKind, Effect, Fault, FaultKind};

/// The code of the rule that is found among the declarations.
fn found<'a>(fault: &Fault, declarations: &'a [Declaration]) -> Option<&'a str> {
    let kind = fault.constraint_kind().unwrap();
    let subject = Subject::violated(fault, kind, fault.columns(), fault.is_over_expressions());
    let (_, rule) = rule_for(&subject, declarations)?;
    rule.code.as_deref()
}

fn fault(kind: FaultKind, name: Option<&str>, table: &str, columns: &[&str]) -> Fault {
    Fault::new(kind, Effect::Statement)
        .with_table(None::<&str>, table)
        .with_constraint(name)
        .with_columns(columns.iter().copied())
}

fn unique(name: Option<&str>, columns: &[&str]) -> Fault {
    fault(FaultKind::Unique, name, "users", columns)
}

#[test]
fn by_columns_in_any_order() {
    let declared = [Declaration::of("users")
        .rule(Rule::unique(["tenant_id", "handle"]).code("handle"))
        .rule(Rule::unique(["email"]).code("email"))];
    assert_eq!(found(&unique(None, &["email"]), &declared), Some("email"));
    let both = unique(Some("whatever"), &["handle", "tenant_id"]);
    assert_eq!(found(&both, &declared), Some("handle"));
    assert_eq!(found(&unique(None, &["handle"]), &declared), None);
    let other_table = fault(FaultKind::Unique, None, "teams", &["email"]);
    assert_eq!(found(&other_table, &declared), None);
    let other_kind = fault(FaultKind::NotNull, None, "users", &["email"]);
    assert_eq!(found(&other_kind, &declared), None);
}

#[test]
fn a_name_wins_over_columns() {
    let declared = [Declaration::of("users")
        .rule(Rule::unique(["email"]).code("any"))
        .rule(
            Rule::unique(["email"])
                .name("users_active_email")
                .code("active"),
        )];
    let active = unique(Some("users_active_email"), &["email"]);
    assert_eq!(found(&active, &declared), Some("active"));
}

#[test]
fn without_columns_by_the_names_that_engines_give() {
    let declared = [Declaration::of("users")
        .rule(Rule::unique(["email"]).code("email"))
        .rule(Rule::new(ConstraintKind::Check, ["age"]).code("age"))];
    for name in ["users_email_key", "email", "idx-users-email"] {
        assert_eq!(
            found(&unique(Some(name), &[]), &declared),
            Some("email"),
            "{name}"
        );
    }
    // It is called so, and is on other columns.
    let misleading = unique(Some("users_email_key"), &["handle"]);
    assert_eq!(found(&misleading, &declared), None);
    let check = fault(FaultKind::Check, Some("users_age_check"), "users", &[]);
    assert_eq!(found(&check, &declared), Some("age"));
}

#[test]
fn an_expression_is_second_to_plain_columns() {
    let plain = Rule::unique(["email"]).code("email");
    let by_name = Rule::unique(["email"])
        .name("users_lower_email")
        .code("lower");
    let over = unique(Some("users_lower_email"), &[]).with_expression_over(["email"]);
    let one = [Declaration::of("users").rule(plain.clone())];
    assert_eq!(found(&over, &one), Some("email"));
    let two = [Declaration::of("users").rule(plain).rule(by_name)];
    assert_eq!(found(&over, &two), Some("lower"));
}

#[test]
fn schemas_and_databases_do_not_mix() {
    let declared = [
        Declaration::of("users").rule(Rule::unique(["email"]).code("bare")),
        Declaration::of("users")
            .schema(Some("audit"))
            .rule(Rule::unique(["email"]).code("audit")),
        Declaration::of("users")
            .database("archive")
            .rule(Rule::unique(["email"]).code("archive")),
    ];
    let at = |schema: &str, visible: bool| {
        Fault::new(FaultKind::Unique, Effect::Statement)
            .with_table(Some(schema), "users")
            .with_visibility(visible)
            .with_columns(["email"])
    };
    assert_eq!(found(&at("public", true), &declared), Some("bare"));
    assert_eq!(found(&at("audit", false), &declared), Some("audit"));
    // Even where the search path leads there first.
    assert_eq!(found(&at("audit", true), &declared), Some("audit"));
    assert_eq!(found(&at("elsewhere", false), &declared), None);
    let archived = at("public", true).with_database("archive");
    assert_eq!(found(&archived, &declared), Some("archive"));
    // Without a catalogue, an exact schema is surer than a bare name.
    let unknown = Fault::new(FaultKind::Unique, Effect::Aborted)
        .with_table(Some("audit"), "users")
        .with_columns(["email"]);
    assert_eq!(found(&unknown, &declared), Some("audit"));
}

#[test]
fn two_that_differ_are_not_chosen_by_luck() {
    let one = Declaration::of("users").rule(Rule::unique(["email"]).code("a"));
    let same = Declaration::of("users").rule(Rule::unique(["email"]).code("a"));
    let other = Declaration::of("users").rule(Rule::unique(["email"]).code("b"));
    let violation = unique(None, &["email"]);
    assert_eq!(found(&violation, &[one.clone(), same]), Some("a"));
    assert_eq!(found(&violation, &[one.clone(), other.clone()]), None);
    assert_eq!(found(&violation, &[other, one]), None);
}

#[test]
fn restrict_is_said_by_the_child_or_the_parent() {
    let restrict = |table: &str| {
        fault(
            FaultKind::Restrict,
            Some("fk-users-team_id"),
            table,
            &["team_id"],
        )
        .with_reference("teams", ["id"])
    };
    let child = Declaration::of("users").rule(Rule::restrict(["team_id"]).code("child"));
    let parent = Declaration::of("teams").rule(Rule::restrict([""; 0]).code("parent"));
    let by = Declaration::of("teams").rule(Rule::restrict([""; 0]).by("users").code("by"));
    let field = Declaration::of("teams").rule(Rule::restrict(["id"]).code("field"));
    let named = Declaration::of("teams").rule(
        Rule::restrict([""; 0])
            .name("fk-users-team_id")
            .code("named"),
    );
    let from_users = restrict("users");
    assert_eq!(
        found(&from_users, std::slice::from_ref(&parent)),
        Some("parent")
    );
    assert_eq!(found(&from_users, &[field]), Some("field"));
    let other = Declaration::of("teams").rule(Rule::restrict(["owner_id"]).code("other"));
    assert_eq!(found(&from_users, &[other]), None);
    assert_eq!(
        found(&from_users, &[parent.clone(), child.clone()]),
        Some("child")
    );
    let all = [parent.clone(), child, by, named];
    assert_eq!(found(&from_users, &all), Some("named"));
    assert_eq!(found(&from_users, &all[..3]), Some("by"));
    assert_eq!(found(&restrict("projects"), &all[..3]), Some("parent"));
    // The foreign key itself is another kind.
    let missing = fault(FaultKind::ForeignKey, None, "users", &["team_id"]);
    assert_eq!(found(&missing, &[parent]), None);
}

#[test]
fn without_a_table_a_name_is_all_there_is() {
    let declared = [Declaration::of("users").rule(Rule::check("positive").code("positive"))];
    let domain = Fault::new(FaultKind::Check, Effect::Aborted).with_constraint(Some("positive"));
    assert_eq!(found(&domain, &declared), Some("positive"));
    let other = Fault::new(FaultKind::Check, Effect::Aborted).with_constraint(Some("negative"));
    assert_eq!(found(&other, &declared), None);
}

#[test]
fn a_name_longer_than_postgres_keeps() {
    let name = format!("users_{}", "x".repeat(80));
    let declared = [Declaration::of("users").rule(Rule::check(name.clone()).code("long"))];
    let cut = fault(FaultKind::Check, Some(&name[..63]), "users", &[]);
    assert_eq!(found(&cut, &declared), Some("long"));
}
