//! Tests of the harness: servers and what is left of them.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, TransactionTrait};
use support::process::{is_running, tree};
use support::{Engine, Server, TestDb, TestResult, connect, engine_tests, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

engine_tests! {
    on_postgres on_mariadb on_mysql:
    keeps_data_over_kill_and_restart, stops_in_an_orderly_way, freezes_and_goes_on,
    counts_deadlocks, leaves_nothing_behind_when_killed, leaves_nothing_behind_at_the_end
}
engine_tests! { on_postgres on_mariadb: starts_many_servers_at_once }

async fn keeps_data_over_kill_and_restart(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let db = TestDb::on(&server).await?;
    let client = db.connect(2).await?;
    client
        .execute_unprepared("CREATE TABLE t (a INT PRIMARY KEY)")
        .await?;
    let (port, pid) = (server.port(), server.pid());
    for round in 1..=3 {
        client
            .execute_unprepared(&format!("INSERT INTO t VALUES ({round})"))
            .await?;
        server.kill()?;
        assert_eq!(server.pid(), None);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        server.restart()?;
        assert_eq!(db.rows("t").await?, round);
        // The first statement on each dead connection may fail.
        wait_until("the pool to recover", LIMIT, async || {
            Ok(client.ping().await.is_ok())
        })
        .await?;
    }
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    Ok(())
}

async fn stops_in_an_orderly_way(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let db = TestDb::on(&server).await?;
    let client = db.connect(2).await?;
    client.ping().await?;
    for stop in [Server::stop, Server::stop_immediate] {
        stop(&server)?;
        stop(&server)?;
        assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
        server.restart()?;
        db.connect(2).await?.ping().await?;
    }
    Ok(())
}

async fn freezes_and_goes_on(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let db = TestDb::on(&server).await?;
    let client = db.connect(2).await?;
    server.sigstop();
    let answer = tokio::time::timeout(Duration::from_millis(300), client.ping()).await;
    assert!(answer.is_err(), "{answer:?}");
    server.sigcont();
    wait_until("an answer", LIMIT, async || Ok(client.ping().await.is_ok())).await?;
    Ok(())
}

async fn counts_deadlocks(engine: Engine) -> TestResult {
    let server = Server::start_private(engine, &[])?;
    let db = TestDb::on(&server).await?;
    db.admin()
        .execute_unprepared("CREATE TABLE t (a INT PRIMARY KEY, b INT)")
        .await?;
    db.admin()
        .execute_unprepared("INSERT INTO t VALUES (1, 0), (2, 0)")
        .await?;
    assert_eq!(db.deadlock_count().await?, 0);
    let client = db.connect(2).await?;
    let (first, second) = (client.begin().await?, client.begin().await?);
    first
        .execute_unprepared("UPDATE t SET b = 1 WHERE a = 1")
        .await?;
    second
        .execute_unprepared("UPDATE t SET b = 1 WHERE a = 2")
        .await?;
    let (left, right) = tokio::join!(
        first.execute_unprepared("UPDATE t SET b = 1 WHERE a = 2"),
        second.execute_unprepared("UPDATE t SET b = 1 WHERE a = 1"),
    );
    assert!(left.is_err() != right.is_err(), "{left:?} {right:?}");
    drop((first, second));
    client.close().await?;
    wait_until("the count", 2 * LIMIT, async || {
        Ok(db.deadlock_count().await? == 1)
    })
    .await?;
    Ok(())
}

async fn starts_many_servers_at_once(engine: Engine) -> TestResult {
    let start = || tokio::task::spawn_blocking(move || Server::start_private(engine, &[]));
    let started: Vec<_> = (0..6).map(|_| start()).collect();
    let mut ports = Vec::new();
    let mut servers = Vec::new();
    for server in started {
        servers.push(server.await??);
    }
    for server in &servers {
        TestDb::on(server).await?;
        ports.push(server.port());
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 6);
    Ok(())
}

/// A `with-servers` of its own, for one engine, in a temporary folder of its own, that runs
/// `sleep`.
struct Run {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
    /// `with-servers`, the server, the command, and everything below them.
    pids: Vec<u32>,
}

impl Run {
    fn start(
        engine: Engine,
        seconds: &str,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = tempfile::Builder::new()
            .permissions(open_to_all())
            .tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_with-servers"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RESILIENT_TEST_")) {
            command.env_remove(name);
        }
        let script = "echo $$ $RESILIENT_TEST_POSTGRES_URL$RESILIENT_TEST_MARIADB_URL$RESILIENT_TEST_MYSQL_URL; \
             exec sleep $0";
        let mut child = command
            .args(["sh", "-c", script, seconds])
            .env(support::ENGINES_VARIABLE, engine.name())
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let (command, url) = line.trim().split_once(' ').ok_or("no pid and address")?;
        let pids = tree(child.id());
        assert!(pids.contains(&command.parse()?), "{pids:?}");
        let url = url.to_owned();
        Ok(Self {
            child,
            folder,
            url,
            pids,
        })
    }

    /// Waits until no process and no file is left.
    async fn assert_gone(&self) -> TestResult {
        let start = Instant::now();
        wait_until("the end of all processes", LIMIT, async || {
            Ok(!self.pids.iter().any(|&pid| is_running(pid)))
        })
        .await?;
        let files = || std::fs::read_dir(self.folder.path()).map(Iterator::count);
        wait_until("an empty folder", LIMIT, async || {
            Ok(files().unwrap_or(1) == 0)
        })
        .await?;
        println!("all gone after {:?}", start.elapsed());
        Ok(())
    }
}

async fn leaves_nothing_behind_when_killed(engine: Engine) -> TestResult {
    let mut run = Run::start(engine, "60")?;
    run.child.kill()?;
    run.child.wait()?;
    run.assert_gone().await
}

/// A session that computes does not look at what happens to its server.
#[tokio::test]
async fn leaves_no_busy_session_behind_on_postgres() -> TestResult {
    let mut run = Run::start(Engine::Postgres, "60")?;
    let client = connect(&format!("{}postgres", run.url), 1).await?;
    let query = "SELECT count(*) FROM generate_series(1, 1000000000000)";
    let busy = tokio::spawn(async move { client.execute_unprepared(query).await });
    let main = run.child.id();
    wait_until("a session", LIMIT, async || {
        Ok(tree(main).len() > run.pids.len())
    })
    .await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    run.pids = tree(main);
    run.child.kill()?;
    run.child.wait()?;
    run.assert_gone().await?;
    assert!(busy.await?.is_err());
    Ok(())
}

async fn leaves_nothing_behind_at_the_end(engine: Engine) -> TestResult {
    let mut run = Run::start(engine, "2")?;
    assert!(run.child.wait()?.success());
    run.assert_gone().await
}

#[test]
fn an_unknown_engine_is_an_error() {
    let (code, printed) = with_servers("sqlite,oracle", &["true"]);
    assert_eq!(code, Some(1));
    let expected = "RESILIENT_TEST_ENGINES=`sqlite,oracle`: `oracle` is not an engine; \
                    allowed: sqlite, postgres, mariadb, mysql";
    assert!(printed.contains(expected), "{printed}");
}

#[test]
fn passes_on_the_exit_code() {
    assert_eq!(with_servers("sqlite", &["sh", "-c", "exit 7"]).0, Some(7));
    assert_eq!(
        with_servers("sqlite", &["sh", "-c", "kill -9 $$"]).0,
        Some(137)
    );
}

fn with_servers(engines: &str, command: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_with-servers"))
        .args(command)
        .env(support::ENGINES_VARIABLE, engines)
        .output()
        .expect("with-servers was built with this test");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn open_to_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o777)
}
