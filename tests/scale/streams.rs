//! A thousand listeners to the event stream of one database, in the way of nobody.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{HealthSettings, ResilientConnection};
use sea_orm::{ConnectOptions, ConnectionTrait};
use support::{Engine, Proxy, TestResult, engine_tests, unique_name, wait_until};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{MEMORY, Stand, enter};

const LISTENERS: usize = 1000;
/// Of these, so many never read.
const DEAF: usize = 100;
const CALLS: i64 = 100;
const PATIENCE: Duration = Duration::from_mins(2);

/// What a listener may cost, its own end of the connection included, which is in this process
/// too. Sockets have their buffers elsewhere.
const EACH: usize = 64 << 10;

async fn listen(address: SocketAddr) -> TestResult<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let head = "GET /admin/database/events HTTP/1.1\r\nHost: db\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

/// Counts snapshots until the connection ends.
async fn count(mut stream: TcpStream, seen: Arc<AtomicU64>) {
    let (mut buffer, mut known) = (vec![0; 4096], 0);
    let word = b"event: snapshot\n";
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        for byte in &buffer[..read] {
            known = match (*byte == word[known], *byte == word[0]) {
                (true, _) => known + 1,
                (false, true) => 1,
                (false, false) => 0,
            };
            if known == word.len() {
                seen.fetch_add(1, Ordering::Relaxed);
                known = 0;
            }
        }
    }
}

/// Calls one after the other; answers how many round trips each took.
async fn calls(db: &ResilientConnection, proxy: &Proxy, from: i64) -> TestResult<Vec<String>> {
    proxy.record();
    for id in from..from + CALLS {
        db.transact(resilient_sea_orm::TransactOptions::new(), || async {
            enter(db, id).await
        })
        .await?;
    }
    let flights = proxy.flights();
    let sent = flights
        .into_iter()
        .filter(|flight| !flight.statements.is_empty());
    // The rows have numbers of their own.
    let text = |flight: support::Flight| flight.statements.join(";");
    let plain = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
    Ok(sent.map(text).map(plain).collect())
}

async fn a_thousand_listeners_are_in_nobodys_way(engine: Engine) -> TestResult {
    let stand = Stand::open(engine, |_| {}).await?;
    let proxy = Proxy::before(&stand.test).await?;
    let mut options = ConnectOptions::new(proxy.url());
    // One connection, as whoever needs a second one has to find out which it is.
    options.max_connections(1).sqlx_logging(false);
    // One check serves all of the test, so that nothing is sent but by the calls.
    let health = HealthSettings {
        timeout: PATIENCE,
        cache_duration: Duration::from_hours(1),
        ..HealthSettings::default()
    };
    let builder = ResilientConnection::builder(options).name(unique_name());
    let db = builder.health(health).connect().await?;
    db.execute_unprepared("SELECT 1").await?;
    db.health_summary().await;
    // Statements are prepared, and connections known.
    calls(&db, &proxy, 1).await?;
    let alone = calls(&db, &proxy, 1001).await?;

    let interval = Duration::from_millis(500);
    let admin = resilient_admin::router(db.clone()).insecure();
    let app = admin.stream_interval(interval).build()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let before = MEMORY.allocated();
    let seen: Vec<Arc<AtomicU64>> = (DEAF..LISTENERS).map(|_| Arc::default()).collect();
    let (mut clients, mut deaf) = (JoinSet::new(), Vec::new());
    for seen in &seen {
        clients.spawn(count(listen(address).await?, Arc::clone(seen)));
    }
    for _ in 0..DEAF {
        deaf.push(listen(address).await?);
    }
    let least = || {
        seen.iter()
            .map(|n| n.load(Ordering::Relaxed))
            .min()
            .unwrap_or_default()
    };
    let after = async |snapshots: u64| {
        let all = async || Ok(least() >= snapshots);
        wait_until("snapshots for all", PATIENCE, all).await
    };
    after(2).await?;
    let with_all = MEMORY.allocated().saturating_sub(before);
    assert!(with_all < LISTENERS * EACH, "{with_all} bytes");

    let crowded = calls(&db, &proxy, 2001).await?;
    assert_eq!(crowded, alone);
    // It does not grow with what is sent, also not for those who do not read.
    after(least() + 5).await?;
    let later = MEMORY.allocated().saturating_sub(before);
    assert!(
        later < with_all + (8 << 20),
        "{with_all}, then {later} bytes"
    );
    assert_eq!(stand.entries().await?, 3 * CALLS);

    clients.shutdown().await;
    drop(deaf);
    let freed = async || Ok(MEMORY.allocated().saturating_sub(before) < LISTENERS * EACH / 8);
    wait_until("the memory of those who left", PATIENCE, freed).await?;
    server.abort();
    Ok(())
}

engine_tests! { on_postgres on_mariadb: a_thousand_listeners_are_in_nobodys_way }
