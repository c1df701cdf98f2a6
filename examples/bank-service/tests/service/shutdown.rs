//! The end of the service while it is being used.

use std::time::Duration;

use reqwest::{Client, Method};
use rustix::process::Signal;
use support::{Engine, TestDb, TestResult, engine_tests, wait_until};
use tokio::task::JoinHandle;

use crate::{
    process::Program,
    rig::{READ, Reply, variables},
};

const PATIENCE: Duration = Duration::from_secs(30);
const REQUESTS: usize = 4;

type Requests = Vec<JoinHandle<TestResult<Reply>>>;

/// Requests that take so long, once all of them have a transaction open.
async fn under_way(client: &Client, url: &str, ms: u64) -> TestResult<Requests> {
    let slow = |_| {
        let request = client.post(format!("{url}/trouble/slow?ms={ms}"));
        tokio::spawn(Reply::of(request))
    };
    let requests = (0..REQUESTS).map(slow).collect();
    let sessions = format!("{url}/ops/admin/database/sessions");
    wait_until("the requests", PATIENCE, async || {
        let asked = Reply::of(client.get(&sessions).bearer_auth(READ)).await;
        let Ok(reply) = asked else { return Ok(false) };
        Ok(reply.body.to_string().matches("Trouble::slow").count() >= REQUESTS)
    })
    .await?;
    Ok(requests)
}

async fn every_accepted_request_is_answered(engine: Engine) -> TestResult {
    // What an orchestrator sends, and ctrl-c.
    for signal in [Signal::TERM, Signal::INT] {
        is_answered(engine, signal).await?;
    }
    Ok(())
}

async fn is_answered(engine: Engine, signal: Signal) -> TestResult {
    let test = TestDb::new(engine).await?;
    let mut variables = variables(test.url());
    variables.push(("DRAIN_SECONDS".to_owned(), "60".to_owned()));
    let mut program = Program::start(&variables)?;
    let url = program.url.clone();
    let client = Client::new();
    // A stream of events would last for ever.
    let mut events = client
        .request(Method::GET, format!("{url}/ops/admin/database/events"))
        .bearer_auth(READ)
        .send()
        .await?;
    assert_eq!(events.status().as_u16(), 200);
    assert!(events.chunk().await?.is_some());
    let requests = under_way(&client, &url, 5_000).await?;
    program.send(signal)?;
    for request in requests {
        let reply = request.await??;
        assert_eq!(reply.status, 204, "{reply:?}");
    }
    while events.chunk().await?.is_some() {}
    let status = program.ended().await?;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(
        Client::new()
            .get(format!("{url}/livez"))
            .send()
            .await
            .is_err()
    );
    assert_eq!(test.open_transactions().await?, 0);
    Ok(())
}

/// What takes longer than there is time for is cut off, and told so; the server's session goes.
async fn what_takes_too_long_is_cut_off(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let mut variables = variables(test.url());
    variables.push(("DRAIN_SECONDS".to_owned(), "0".to_owned()));
    let mut program = Program::start(&variables)?;
    let client = Client::new();
    let requests = under_way(&client, &program.url, 60_000).await?;
    program.send(Signal::TERM)?;
    for request in requests {
        let reply = request.await??;
        assert_eq!(
            (reply.status, reply.problem()),
            (503, "cut_off"),
            "{reply:?}"
        );
    }
    let status = program.ended().await?;
    assert_eq!(status.code(), Some(0), "{status}");
    Ok(())
}

engine_tests! { every_accepted_request_is_answered }
engine_tests! { on_postgres on_mariadb: what_takes_too_long_is_cut_off }
