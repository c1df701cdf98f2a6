//! However many declarations there are, a violation looks at those of its own tables.

use super::super::{
    Declaration, Rule,
    matching::{Subject, rule_for},
    registry::Registry,
};
use crate::{ConstraintKind, Effect, Fault, FaultKind};

const MANY: usize = 100_000;

fn many() -> Registry {
    let mut registry = Registry::default();
    for n in 0..MANY {
        let table = format!("Table_{n}");
        let rules = Declaration::of(table)
            .rule(Rule::unique(["email"]).code(format!("unique_{n}")))
            .rule(Rule::restrict([""; 0]).code(format!("restrict_{n}")))
            .rule(Rule::check(format!("check_{n}")).code(format!("check_{n}")));
        registry.register(rules);
    }
    registry
}

/// The code of the rule that is found, and how many declarations were looked at.
fn found(registry: &Registry, fault: &Fault) -> (Option<String>, usize) {
    let kind = fault.constraint_kind().expect("a violation");
    let subject = Subject::violated(fault, kind, fault.columns(), false);
    let about = registry.about(&subject);
    let rule = rule_for(&subject, about.iter().map(|one| &**one));
    let code = rule.and_then(|(_, rule)| rule.code.as_deref().map(str::to_owned));
    (code, about.len())
}

fn of(kind: FaultKind) -> Fault {
    Fault::new(kind, Effect::Statement)
}

#[test]
fn a_hundred_thousand_are_not_searched() {
    let mut registry = many();
    for n in [0, 1, MANY / 2, MANY - 1] {
        let unique = of(FaultKind::Unique)
            .with_table(None::<&str>, format!("Table_{n}"))
            .with_columns(["email"]);
        assert_eq!(found(&registry, &unique), (Some(format!("unique_{n}")), 1));
        // A domain's check has a name alone.
        let check = of(FaultKind::Check).with_constraint(Some(format!("check_{n}")));
        assert_eq!(found(&registry, &check), (Some(format!("check_{n}")), 1));
        // What references a table is looked for at both.
        let restrict = of(FaultKind::Restrict)
            .with_table(None::<&str>, "Table_7")
            .with_reference(None::<&str>, format!("Table_{n}"), ["id"]);
        let (code, looked_at) = found(&registry, &restrict);
        assert_eq!(code, Some(format!("restrict_{n}")));
        assert!(looked_at <= 2);
    }
    let unknown = of(FaultKind::Unique).with_table(None::<&str>, "elsewhere");
    assert_eq!(found(&registry, &unknown), (None, 0));
    // Once more the same is nothing new, and other letters are another table's only where the
    // engine says so.
    registry.register(Declaration::of("elsewhere").rule(Rule::unique(["email"]).code("a")));
    registry.register(Declaration::of("elsewhere").rule(Rule::unique(["email"]).code("a")));
    registry.register(Declaration::of("ELSEWHERE").rule(Rule::unique(["email"]).code("b")));
    let unique = unknown.with_columns(["email"]);
    assert_eq!(found(&registry, &unique), (Some("a".to_owned()), 2));
    assert_eq!(unique.constraint_kind(), Some(ConstraintKind::Unique));
}
