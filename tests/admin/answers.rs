//! Every endpoint answers, and as the document says.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{
    Builder, FaultKind, ResilientConnection,
    constraint::{Declaration, Rule, register},
    health::{alerts::AlertKind, breaker::BreakerConfig, performance::PerformanceConfig},
    prelude::*,
};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::sync::Barrier;

use crate::{
    PATIENCE,
    rig::{ACT, ENDPOINTS, READ, Rig, connect, diagnose, get, patient, settings, tokens},
    schema::{Document, fits},
};

struct Teams {
    db: ResilientConnection,
}

#[resilient(retries = 2)]
impl Teams {
    pub async fn name(&self, id: i32, name: &str) -> Result<()> {
        let sql = format!("INSERT INTO team VALUES ({id}, '{name}')");
        self.db.execute_unprepared(&sql).await?;
        Ok(())
    }

    /// Keeps its transaction while `work` is done.
    #[resilient(retries = 0)]
    pub async fn meanwhile(&self, work: impl Future<Output = ()>) -> Result<()> {
        self.db.execute_unprepared("SELECT 1").await?;
        work.await;
        Ok(())
    }
}

/// Two calls that wait for each other, once.
async fn deadlock(db: &ResilientConnection) -> TestResult {
    let barrier = Arc::new(Barrier::new(2));
    let call = |ids: [i32; 2]| {
        let (db, barrier, met) = (db.clone(), Arc::clone(&barrier), AtomicBool::new(false));
        let add = async move |db: &ResilientConnection, id: i32| {
            let sql = format!("UPDATE score SET points = points + 1 WHERE id = {id}");
            db.execute_unprepared(&sql).await
        };
        tokio::spawn(async move {
            let options = TransactOptions::new().name("Teams::swap").retries(5);
            db.transact(options, || async {
                add(&db, ids[0]).await?;
                if !met.swap(true, Ordering::SeqCst) {
                    barrier.wait().await;
                }
                add(&db, ids[1]).await?;
                Ok::<_, Error>(())
            })
            .await
        })
    };
    let (one, other) = (call([1, 2]), call([2, 1]));
    one.await??;
    other.await??;
    Ok(())
}

/// A connection with something in every report.
async fn eventful(test: &TestDb) -> TestResult<ResilientConnection> {
    let slow = PerformanceConfig::default().slow_threshold(Duration::ZERO);
    let builder = Builder::default().health(settings()).performance(slow);
    let db = connect(test.url(), builder.circuit_breaker(BreakerConfig::new())).await;
    for sql in [
        "CREATE TABLE score (id INTEGER PRIMARY KEY, points INTEGER NOT NULL)",
        "INSERT INTO score VALUES (1, 0), (2, 0)",
    ] {
        db.execute_unprepared(sql).await?;
    }
    if test.engine() != Engine::Sqlite {
        deadlock(&db).await?;
        // What the server says of it is asked beside the retry, which does not wait. The second
        // attempt may meet the other's first.
        let seen = async || Ok(db.deadlocks().total >= 1);
        wait_until("the deadlock is in the book", PATIENCE, seen).await?;
    }
    let board = db.alert_board();
    board.observe(AlertKind::RecoveryFailure, "over", 1.0);
    board.resolve(AlertKind::RecoveryFailure, "over");
    board.observe(AlertKind::RecoveryFailure, "standing", 1.0);
    Ok(db)
}

async fn every_endpoint_answers_what_is_described(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = eventful(&test).await?;
    let admin = resilient_admin::router(db.clone()).authorize(tokens());
    let rig = Rig::of(test, db, patient(admin).build()?);
    let (db, name) = (&rig.db, rig.db.name().to_owned());
    let table = "CREATE TABLE team (id INTEGER PRIMARY KEY, name VARCHAR(90) NOT NULL UNIQUE)";
    db.execute_unprepared(table).await?;
    let rule = Rule::unique(["name"]).message("that name is taken");
    let missing = Rule::unique(["colour"]);
    let declared = Declaration::of("team").rule(rule).rule(missing);
    register(declared.database(name.clone()));
    let teams = Teams { db: db.clone() };
    teams.name(1, "blue").await?;
    let taken = teams.name(2, "blue").await.unwrap_err();
    assert_eq!(taken.kind(), FaultKind::Unique);

    let document = rig.get("/openapi.json").await;
    let document = Document::of(document.json());
    let mut failed = Ok(());
    let everything = async {
        for (method, path, _) in ENDPOINTS {
            if let Err(error) = answers(&rig, &document, method, path).await {
                failed = Err(error);
            }
        }
    };
    // One transaction is open while they are asked.
    teams.meanwhile(everything).await?;
    failed?;

    let constraints = rig.get("/admin/database/constraints").await.json();
    let violation = &constraints["violations"][0];
    assert_eq!(
        violation["message"], "that name is taken",
        "{constraints:#}"
    );
    assert_eq!(
        (&violation["count"], &violation["declared"]),
        (&1.into(), &true.into())
    );
    assert_eq!(constraints["declared"][0]["table"], "team");
    let drift: BTreeSet<&str> = constraints["compared"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|finding| finding["drift"].as_str())
        .collect();
    assert!(drift.contains("missing"), "{constraints:#}");

    let metrics = rig
        .get(&format!("/admin/database/metrics?database={name}"))
        .await;
    let metrics = metrics.json();
    // Methods are those of the process, so of the tests beside this one too.
    let failed = metrics["methods"]["Teams::name"]["failed"].as_u64();
    assert!(failed >= Some(1), "{metrics:#}");
    let connections = metrics["connections"].as_object().unwrap();
    assert_eq!(connections.keys().collect::<Vec<_>>(), [&name]);
    Ok(())
}

async fn answers(rig: &Rig, document: &Document, method: &str, path: &str) -> TestResult {
    if path.ends_with("/events") {
        return Ok(());
    }
    let answer = match method {
        "POST" => diagnose(&rig.app, path, Some(ACT)).await,
        _ => rig.get(path).await,
    };
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let of = &document.0["paths"][path][method.to_lowercase()];
    let described = of["responses"]["200"]["content"].as_object();
    let described = described.ok_or("not described")?;
    assert!(
        described.contains_key(answer.header("content-type")),
        "{path}"
    );
    for (header, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(header), value, "{path}");
    }
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{path}");
    if path == "/admin/database/openmetrics" {
        assert!(answer.text.ends_with("# EOF\n"), "{}", answer.text);
        return Ok(());
    }
    let value = answer.json();
    let validator = document.answer(method, path, 200, "application/json");
    fits(&validator, &value, path);
    snake_case(&value, path);
    match path {
        "/admin/database/sessions" => {
            let open = value["open"].as_array().unwrap();
            let methods: Vec<_> = open.iter().map(|session| &session["method"]).collect();
            assert_eq!(methods, ["Teams::meanwhile"], "{value:#}");
        }
        "/admin/database/connection-pool" => {
            assert_eq!(value["pool"]["max_connections"], 4, "{value:#}");
            assert!(value["pool"]["in_use"].as_u64() >= Some(1), "{value:#}");
        }
        "/admin/database/alerts" => {
            assert_eq!(value["active"][0]["subject"], "standing", "{value:#}");
            assert_eq!(value["history"][0]["subject"], "over", "{value:#}");
        }
        "/admin/database/deadlocks" if value["total"] != 0 => {
            let pair = &value["pairs"][0]["methods"];
            assert_eq!(
                pair,
                &serde_json::json!(["Teams::swap", "Teams::swap"]),
                "{value:#}"
            );
        }
        "/admin/database/health" => assert_eq!(value["summary"]["database"], rig.db.name()),
        "/admin/database/diagnostics" => assert_eq!(value["complete"], true, "{value:#}"),
        "/admin/databases" => assert_eq!(value["databases"][0]["name"], rig.db.name()),
        "/readyz" => assert_eq!(value["databases"][0]["ready"], true),
        _ => {}
    }
    Ok(())
}

/// Names of members are, where they are not names of methods or databases.
fn snake_case(value: &Value, path: &str) {
    match value {
        Value::Object(members) if path != "/openapi.json" => {
            for (name, value) in members {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                let ours = name.contains("::") || name.starts_with("bank-");
                assert!(ours || name.chars().all(plain), "{path}: {name}");
                snake_case(value, path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| snake_case(item, path)),
        _ => {}
    }
}

/// The document lists what there is, and who may ask.
async fn the_document_lists_every_endpoint(engine: Engine) -> TestResult {
    let rig = Rig::open(engine).await?;
    let document = get(&rig.app, "/openapi.json", Some(READ)).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut listed = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let permission = operation["x-permission"].as_str().unwrap();
            listed.insert((method.to_uppercase(), path.clone(), permission.to_owned()));
        }
    }
    let known = ENDPOINTS.iter();
    let known = known.map(|(method, path, permission)| {
        (
            (*method).to_owned(),
            (*path).to_owned(),
            (*permission).to_owned(),
        )
    });
    assert_eq!(listed, known.collect());
    let closed = Document::of(document.clone());
    let list = closed.answer("GET", "/admin/databases", 200, "application/json");
    let more = serde_json::json!({ "databases": [], "more": 1 });
    assert!(
        !list.is_valid(&more),
        "what is not described is let through"
    );
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        // Two types of one name would be told apart by a number.
        assert!(!name.ends_with(|c: char| c.is_ascii_digit()), "{name}");
        let described = schema["description"].is_string();
        assert!(described, "{name} has no description");
    }
    Ok(())
}

engine_tests! { every_endpoint_answers_what_is_described }
engine_tests! { on_sqlite: the_document_lists_every_endpoint }
