//! The service ends while money is moving, in order or not, and is started again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::Client;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use uuid::Uuid;

use crate::{
    process::Program,
    rig::{Reply, VAULT, variables},
};

const ACCOUNTS: usize = 4;
const CLIENTS: u64 = 6;
const TRANSFERS: usize = 25;
const CENTS: i64 = 50_000;

/// Where the service is now.
type Place = Arc<Mutex<String>>;

/// Sends a request until somebody answers for certain, wherever the service is by then.
async fn insist(
    client: &Client,
    place: &Place,
    path: &str,
    key: Uuid,
    body: &Value,
) -> TestResult<Reply> {
    for _ in 0..1_000 {
        let url = place.lock().map_err(|_| "a client has panicked")?.clone();
        let request = client.post(format!("{url}{path}")).json(body);
        let request = request.header("Idempotency-Key", key.to_string());
        match Reply::of(request).await {
            Ok(reply) if reply.status < 500 => return Ok(reply),
            // It is ending, or it is gone.
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    Err(format!("nobody can tell what became of {key}").into())
}

/// What has moved, as one client was told.
async fn client(place: Place, accounts: Vec<i64>, seed: u64) -> TestResult<Vec<(i64, i64, i64)>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (client, mut moved) = (Client::new(), Vec::new());
    for _ in 0..TRANSFERS {
        let from = random.usize(..ACCOUNTS);
        let to = (from + random.usize(1..ACCOUNTS)) % ACCOUNTS;
        let (from, to, cents) = (accounts[from], accounts[to], random.i64(1..500));
        let order = json!({ "from": from, "to": to, "cents": cents });
        let told = insist(&client, &place, "/transfers", Uuid::new_v4(), &order).await?;
        assert!(matches!(told.status, 200 | 201), "{told:?}");
        moved.push((from, to, cents));
    }
    Ok(moved)
}

async fn customers(url: &str, place: &Place) -> TestResult<Vec<i64>> {
    let (client, mut accounts) = (Client::new(), Vec::new());
    for number in 0..ACCOUNTS {
        let handle = format!("customer_{number}");
        let body = json!({ "handle": handle, "email": format!("{handle}@example.com"), "age": 30 });
        let new = Reply::of(client.post(format!("{url}/users")).json(&body)).await?;
        let id = new.body["account"]["id"].as_i64().ok_or("no account")?;
        let gift = json!({ "from": VAULT, "to": id, "cents": CENTS });
        insist(&client, place, "/transfers", Uuid::new_v4(), &gift).await?;
        accounts.push(id);
    }
    Ok(accounts)
}

async fn each_key_is_applied_once(engine: Engine, signal: Signal) -> TestResult {
    let test = TestDb::new(engine).await?;
    let variables = variables(test.url());
    let mut program = Program::start(&variables)?;
    let place = Arc::new(Mutex::new(program.url.clone()));
    let accounts = customers(&program.url, &place).await?;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|seed| tokio::spawn(client(Arc::clone(&place), accounts.clone(), seed)))
        .collect();
    for round in 1..=3 {
        let enough = async || Ok(test.rows("bank_transfer").await? > ACCOUNTS + round * 25);
        wait_until("transfers", Duration::from_mins(1), enough).await?;
        program.send(signal)?;
        let status = program.ended().await?;
        assert_eq!(
            status.code(),
            (signal == Signal::TERM).then_some(0),
            "{status}"
        );
        program = Program::start(&variables)?;
        let mut now = place.lock().map_err(|_| "a client has panicked")?;
        now.clone_from(&program.url);
    }
    let mut should: HashMap<i64, i64> = accounts.iter().map(|id| (*id, CENTS)).collect();
    for client in clients {
        for (from, to, cents) in client.await?? {
            *should.get_mut(&from).ok_or("whose?")? -= cents;
            *should.get_mut(&to).ok_or("whose?")? += cents;
        }
    }
    let client = Client::new();
    for (account, cents) in should {
        let found = Reply::of(client.get(format!("{}/accounts/{account}", program.url))).await?;
        assert_eq!(found.body["cents"], cents, "account {account}");
    }
    let books = Reply::of(client.get(format!("{}/audit", program.url)))
        .await?
        .body;
    assert_eq!(books["wrong_accounts"], json!([]), "{books}");
    assert_eq!(books["total_cents"], books["expected_cents"], "{books}");
    let transfers = ACCOUNTS + usize::try_from(CLIENTS)? * TRANSFERS;
    assert_eq!(books["transfers"], transfers, "{books}");
    Ok(())
}

async fn a_service_that_is_ended_loses_nothing(engine: Engine) -> TestResult {
    each_key_is_applied_once(engine, Signal::TERM).await
}

async fn a_service_that_is_killed_loses_nothing(engine: Engine) -> TestResult {
    each_key_is_applied_once(engine, Signal::KILL).await
}

engine_tests! { a_service_that_is_ended_loses_nothing, a_service_that_is_killed_loses_nothing }
