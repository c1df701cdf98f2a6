//! The names of all fields.

use super::*;

/// The paths of all fields; the keys of maps are `*`, those of lists `[]`.
fn paths(at: &str, value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    const MAPS: [&str; 6] = [
        ".methods",
        ".faults",
        ".by_method",
        ".by_table",
        ".churn.closed",
        ".strategy",
    ];
    match value {
        serde_json::Value::Object(fields) => {
            let map = MAPS.iter().any(|map| at.ends_with(map));
            for (name, value) in fields {
                let name = if map { "*" } else { name };
                paths(&format!("{at}.{name}"), value, found);
            }
        }
        serde_json::Value::Array(all) => {
            assert!(
                !all.is_empty(),
                "{at} is empty: fill it, so that its fields are seen"
            );
            for value in all {
                paths(&format!("{at}[]"), value, found);
            }
        }
        _ => {
            found.insert(at.trim_start_matches('.').to_owned());
        }
    }
}

/// Whoever reads the JSON goes by these names. Set `RESILIENT_BLESS` to write them anew, and say so
/// in the changelog.
#[test]
fn the_names_of_all_fields() {
    let mut lab = Lab::new();
    lab.statement("SELECT 1", Duration::from_millis(200), true);
    let (started, now) = (lab.clock.now(), lab.clock.now());
    lab.performance.method("Orders::list", started, now, false);
    lab.recovery
        .ended("session 7", 3, Err("server_unavailable"));
    let mut pair = deadlock(1);
    pair.participants[0].statement = Some("UPDATE account".to_owned());
    lab.deadlocks.enter(pair);
    let mut connection = ConnectionSnapshot::default();
    connection.faults.insert(FaultKind::Deadlock, 1);
    lab.metrics.connections = BTreeMap::from([("shop".to_owned(), connection)]);
    lab.breaker = Some(BreakerReport {
        state: BreakerState::Open,
        opened: 1,
        rejected: 7,
        open_for_ms: Some(1),
        probes_in_ms: Some(1),
        last_fault: None,
    });
    lab.open = vec![SessionInfo {
        id: 1,
        method: None,
        server_pid: None,
        age_seconds: 61.0,
        idle_seconds: 0.0,
        statements: 0,
    }];
    lab.alerts.active = vec![alert(AlertKind::ErrorRate)];
    lab.alerts.history = vec![alert(AlertKind::ErrorRate)];
    let mut table = table(10, 6);
    table.missing_indexes.push(MissingIndex {
        table: "users".to_owned(),
        columns: vec!["deleted_at".to_owned()],
        why: IndexNeed::SoftDelete,
        statement: String::new(),
    });
    lab.tables = vec![table];
    lab.check = Finding::good().without("the disk");
    let mut closed = lab.taken(8, None);
    closed.close(crate::health::Closing::Expired);
    drop(closed);
    let _leak = lab.taken(7, Some("Reports::export"));
    lab.clock.advance(Duration::from_secs(61));

    let report = lab.report();
    let part = Part::new("quick check", PartOutcome::Good, "", 0.0);
    let all = Diagnostics::of(report, vec![part], None, Vec::new(), 0.0);
    let mut found = std::collections::BTreeSet::new();
    paths("", &serde_json::to_value(&all).unwrap(), &mut found);
    let found: Vec<String> = found.into_iter().collect();
    let found = found.join("\n") + "\n";
    if std::env::var_os("RESILIENT_BLESS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/health/report/fields.txt");
        std::fs::write(file, &found).unwrap();
    }
    assert_eq!(found, include_str!("../fields.txt"));
}
