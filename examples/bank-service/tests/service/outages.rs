//! A database that goes away, at the worst moment too.

use std::time::Duration;

use resilient_sea_orm::CommitToken;
use serde_json::json;
use support::{Ending, Engine, Fault, Plan, Proxy, TestDb, TestResult, engine_tests, wait_until};
use uuid::Uuid;

use crate::rig::{Bank, VAULT};

const PATIENCE: Duration = Duration::from_secs(30);

/// The reply to COMMIT is lost and the database stays away: 503 says that nobody knows, and how
/// to ask; asked later, it is certain.
async fn an_unknown_outcome_can_be_asked_for(engine: Engine) -> TestResult {
    for (fault, stored) in [
        (Fault::Applied(Ending::Silence), true),
        (Fault::NotApplied(Ending::Silence), false),
    ] {
        let test = TestDb::new(engine).await?;
        let proxy = Proxy::before(&test).await?;
        let bank = Bank::at(test, proxy.url()).await?;
        let account = bank.account(0).await?;
        let key = Uuid::new_v4();
        proxy.add(Plan::new(fault));
        let down = async {
            let struck = async || {
                let hits = proxy.hits();
                Ok(hits.len() == 1 && hits[0].answered == stored)
            };
            wait_until("the fault", PATIENCE, struck).await?;
            proxy.down().await
        };
        let (reply, down) = tokio::join!(bank.transfer(key, VAULT, account, 5, ""), down);
        down?;
        let reply = reply?;
        assert_eq!(
            (reply.status, reply.problem()),
            (503, "outcome_unknown"),
            "{reply:?}"
        );
        assert_eq!(reply.body["outcome"], "unknown");
        assert_eq!(reply.body["instance"], format!("/transfers/{key}"));
        assert!(reply.headers.contains_key("retry-after"));
        let ask = reply.body["ask"].as_str().expect("where to ask").to_owned();
        proxy.up().await?;
        for _ in 0..2 {
            let found = bank.get(&ask).await?;
            if stored {
                assert_eq!(
                    (found.status, &found.body["cents"]),
                    (200, &json!(5)),
                    "{found:?}"
                );
            } else {
                assert_eq!((found.status, found.problem()), (404, "not_stored"));
            }
        }
        // A commit of something else says nothing about this transfer.
        let other = ask.replace(&key.to_string(), &Uuid::new_v4().to_string());
        let other = bank.get(&other).await?;
        let code = if stored {
            "not_its_commit"
        } else {
            "not_stored"
        };
        assert_eq!(other.problem(), code, "{other:?}");
        // Sent again, it is there once in either case.
        let again = bank.transfer(key, VAULT, account, 5, "").await?;
        assert_eq!(again.status, if stored { 200 } else { 201 }, "{again:?}");
        assert_eq!(bank.cents(account).await?, 5);
        assert_eq!(bank.get(&ask).await?.status, 200);
        bank.close().await?;
    }
    Ok(())
}

async fn the_probes_tell_an_outage(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let bank = Bank::at(test, proxy.url()).await?;
    assert_eq!(bank.get("/readyz").await?.status, 200);
    proxy.down().await?;
    let ready = async |wanted: u16| {
        let asked = bank.get("/readyz").await;
        Ok(asked.is_ok_and(|reply| reply.status == wanted))
    };
    wait_until("not ready", PATIENCE, async || ready(503).await).await?;
    assert_eq!(bank.get("/readyz").await?.problem(), "database_down");
    assert_eq!(bank.get("/livez").await?.status, 200);
    let account = bank.get("/accounts/1").await?;
    assert_eq!((account.status, account.problem()), (503, "try_again"));
    proxy.up().await?;
    wait_until("ready again", PATIENCE, async || ready(200).await).await?;
    assert_eq!(bank.get("/accounts/1").await?.status, 200);
    bank.close().await
}

/// Who only asks hears nothing of storing, and who sends a key hears that it may be stored: an
/// earlier request with it may have been.
async fn an_outage_says_no_more_than_is_known(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let bank = Bank::at(test, proxy.url()).await?;
    let (account, key) = (bank.account(0).await?, Uuid::new_v4());
    let made = bank.transfer(key, VAULT, account, 5, "").await?;
    assert_eq!(made.status, 201, "{made:?}");
    proxy.down().await?;
    for path in [
        format!("/accounts/{account}"),
        format!("/accounts/{account}/statement"),
        "/audit".to_owned(),
        format!("/transfers/{key}"),
        format!("/transfers/{key}?commit={}", CommitToken::new()),
    ] {
        let asked = bank.get(&path).await?;
        assert_eq!(
            (asked.status, asked.problem()),
            (503, "try_again"),
            "{path}: {asked:?}"
        );
        assert_eq!(asked.body.get("outcome"), None, "{path}: {asked:?}");
        assert!(!asked.body.to_string().contains("stored"), "{asked:?}");
    }
    // It has moved before the outage.
    let again = bank.transfer(key, VAULT, account, 5, "").await?;
    assert_eq!((again.status, again.problem()), (503, "try_again"));
    let outcome = again.body["outcome"].as_str();
    assert!(
        matches!(outcome, Some("not_sent" | "rolled_back")),
        "{again:?}"
    );
    let said = "this request stored nothing; an earlier one with this key may have";
    let detail = again.body["detail"].as_str().expect("detail");
    assert!(detail.ends_with(said), "{again:?}");
    proxy.up().await?;
    bank.close().await
}

engine_tests! { on_postgres on_mariadb:
    an_unknown_outcome_can_be_asked_for, the_probes_tell_an_outage,
    an_outage_says_no_more_than_is_known
}
