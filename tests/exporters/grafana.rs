//! The dashboard and the alert rules: every expression parses, and asks for what there is.

use std::{collections::BTreeSet, path::PathBuf};

use promql_parser::{
    parser::{self, Expr, LabelModifier, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use resilient_sea_orm::metrics::instrument::{self, Instrument, Kind};
use serde_json::Value;
use support::TestResult;
use yaml_rust2::{Yaml, YamlLoader};

pub fn docs(file: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "docs", file]
        .iter()
        .collect();
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The metric of a series.
fn listed(series: &str) -> &'static Instrument {
    let parts = |i: &Instrument| match i.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|part| i.exposed() + part)
            .to_vec(),
        _ => vec![i.exposed()],
    };
    let mut all = instrument::ALL.iter().copied();
    all.find(|i| parts(i).iter().any(|part| part == series))
        .unwrap_or_else(|| panic!("{series} is not exported"))
}

/// The labels that a series has.
fn labels(series: &str) -> BTreeSet<String> {
    let names = listed(series).labels.iter();
    let mut names: BTreeSet<_> = names.map(|label| label.replace('.', "_")).collect();
    if series.ends_with("_bucket") {
        names.insert("le".to_owned());
    }
    names
}

/// What an expression asks for.
#[derive(Default)]
struct Asked {
    series: BTreeSet<String>,
    /// By what it groups.
    groups: Vec<(BTreeSet<String>, Vec<String>)>,
}

impl Asked {
    fn by(expr: &Expr) -> Self {
        let mut asked = Self::default();
        walk_expr(&mut asked, expr).expect("cannot fail");
        asked
    }

    fn select(&mut self, selector: &VectorSelector) {
        let series = selector.name.clone().expect("a name");
        let has = labels(&series);
        assert!(selector.matchers.or_matchers.is_empty(), "{series}");
        for matcher in &selector.matchers.matchers {
            assert!(
                has.contains(&matcher.name),
                "{series} has no {}",
                matcher.name
            );
        }
        self.series.insert(series);
    }
}

impl ExprVisitor for Asked {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.select(selector),
            Expr::MatrixSelector(matrix) => self.select(&matrix.vs),
            Expr::Aggregate(aggregate) => {
                let below = Self::by(&aggregate.expr).series;
                match &aggregate.modifier {
                    None => {}
                    Some(LabelModifier::Include(by)) => {
                        self.groups.push((below, by.labels.clone()));
                    }
                    Some(LabelModifier::Exclude(_)) => panic!("say by what, not without what"),
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

/// Checks an expression and answers the labels that its result has for sure.
fn check(expr: &str) -> BTreeSet<String> {
    // Grafana puts durations in their place.
    let expr = expr
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h");
    let parsed = parser::parse(&expr).unwrap_or_else(|error| panic!("{error}: {expr}"));
    let asked = Asked::by(&parsed);
    assert!(!asked.series.is_empty(), "{expr} asks for nothing");
    let mut left = BTreeSet::new();
    for (below, by) in asked.groups {
        for series in below {
            for label in &by {
                assert!(
                    labels(&series).contains(label),
                    "{series} has no {label}: {expr}"
                );
            }
        }
        left.extend(by);
    }
    left
}

/// The names in `{{name}}` or `$labels.name`.
fn named<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    let after = text.split(before).skip(1);
    after.filter_map(|rest| {
        rest.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()
    })
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(&docs("grafana/dashboard.json")).expect("JSON");
    let mut places = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64()), "{title} has another's id");
        let place = &panel["gridPos"];
        assert!(
            places.insert(format!("{} {}", place["x"], place["y"])),
            "{title}"
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            asked += 1;
            let left = check(target["expr"].as_str().expect("an expression"));
            let legend = target["legendFormat"].as_str().expect("a legend");
            for label in named(legend, "{{") {
                assert!(left.contains(label), "{title}: {label} is not in {left:?}");
            }
        }
    }
    assert!(asked > 30);
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let names: Vec<_> = variables
        .iter()
        .filter_map(|v| v["name"].as_str())
        .collect();
    assert_eq!(names, ["datasource", "database", "method"]);
    for variable in &variables[1..] {
        let query = variable["definition"].as_str().expect("a query");
        let query = query
            .strip_prefix("label_values(")
            .and_then(|q| q.strip_suffix(')'));
        let (series, label) = query.and_then(|q| q.split_once(", ")).expect("values");
        assert!(labels(series).contains(label), "{series} has no {label}");
    }
}

#[test]
fn the_alert_rules_ask_for_what_there_is() -> TestResult {
    let all = YamlLoader::load_from_str(&docs("grafana/alerts.yml"))?;
    let mut names = BTreeSet::new();
    for group in all[0]["groups"].as_vec().expect("groups") {
        for rule in group["rules"].as_vec().expect("rules") {
            let name = rule["alert"].as_str().expect("a name");
            assert!(names.insert(name), "{name} twice");
            let left = check(rule["expr"].as_str().expect("an expression"));
            let severity = rule["labels"]["severity"].as_str();
            assert!(matches!(severity, Some("warning" | "critical")), "{name}");
            for text in ["summary", "description"] {
                let text = rule["annotations"][text].as_str().expect(text);
                for label in named(text, "$labels.") {
                    assert!(left.contains(label), "{name}: {label} is not in {left:?}");
                }
                for file in text.split(' ').filter(|word| word.starts_with("docs/")) {
                    let file = file.trim_end_matches(['.', ',', ':']);
                    docs(file.trim_start_matches("docs/"));
                }
            }
            if rule["for"] != Yaml::BadValue {
                let wait = rule["for"].as_str().expect("a duration");
                let unit = wait.trim_start_matches(|c: char| c.is_ascii_digit());
                assert!(
                    wait.len() > unit.len() && ["s", "m", "h"].contains(&unit),
                    "{name}"
                );
            }
        }
    }
    assert!(names.len() > 10);
    Ok(())
}
