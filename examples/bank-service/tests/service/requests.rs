//! Requests that cannot be meant.

use reqwest::{Method, header};
use serde_json::{Value, json};
use support::{Engine, TestResult, engine_tests};
use uuid::Uuid;

use crate::rig::{Bank, Reply, VAULT};

async fn they_are_refused_as_problem_documents(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let text = |path: &str, body: &str| {
        let request = bank.request(Method::POST, path);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        Reply::of(request.body(body.to_owned()))
    };
    let refused = |reply: Reply, status: u16, code: &str| {
        assert_eq!((reply.status, reply.problem()), (status, code), "{reply:?}");
    };
    refused(text("/users", "{").await?, 400, "bad_request");
    refused(text("/users", "{}").await?, 422, "bad_request");
    refused(text("/users", r#"{"handle":1}"#).await?, 422, "bad_request");
    let large = format!(r#"{{"handle":"{}"}}"#, "a".repeat(20_000));
    refused(text("/users", &large).await?, 413, "body_too_large");
    let plain = bank.request(Method::POST, "/users").body("{}");
    refused(Reply::of(plain).await?, 415, "not_json");
    refused(bank.get("/nowhere").await?, 404, "not_found");
    refused(bank.get("/accounts/x").await?, 400, "bad_request");
    refused(bank.get("/accounts/4711").await?, 404, "not_found");
    refused(
        bank.get("/accounts/4711/statement").await?,
        404,
        "not_found",
    );
    let page = "/accounts/1/statement?limit";
    refused(
        bank.get(&format!("{page}=0")).await?,
        422,
        "limit_out_of_range",
    );
    refused(
        bank.get(&format!("{page}=201")).await?,
        422,
        "limit_out_of_range",
    );
    refused(bank.get(&format!("{page}=x")).await?, 400, "bad_request");
    // Each engine takes other texts; a transfer's number is none of those.
    for before in ["x", "", "%00", "5974e655"] {
        let page = format!("/accounts/1/statement?before={before}");
        refused(bank.get(&page).await?, 400, "bad_request");
    }
    refused(bank.get("/transfers/x").await?, 400, "bad_request");
    let unknown = format!("/transfers/{}", Uuid::new_v4());
    refused(bank.get(&unknown).await?, 404, "not_found");
    let bad_token = format!("{unknown}?commit=x");
    refused(bank.get(&bad_token).await?, 422, "not_a_commit");
    let other = bank.get("/users").await?;
    assert_eq!(other.headers["allow"], "POST");
    refused(other, 405, "method_not_allowed");
    for (handle, email, code) in [
        ("A b", "a@example.com", "handle_not_allowed"),
        ("ab", "nobody", "email_not_allowed"),
        ("ab", "a b@example.com", "email_not_allowed"),
    ] {
        let body = json!({ "handle": handle, "email": email, "age": 20 });
        refused(bank.post("/users", &body).await?, 422, code);
    }
    bank.close().await
}

async fn so_are_transfers(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let account = bank.account(100).await?;
    let key = Uuid::new_v4;
    for (from, to, cents, code, field) in [
        (account, account, 1, "same_account", "to"),
        (account, VAULT, 0, "amount_out_of_range", "cents"),
        (account, VAULT, -5, "amount_out_of_range", "cents"),
        (account, VAULT, i64::MAX, "amount_out_of_range", "cents"),
        (account, VAULT, 101, "insufficient_funds", "cents"),
        (account, 4711, 1, "no_such_account", "to"),
        (4711, account, 1, "no_such_account", "from"),
    ] {
        let id = key();
        let reply = bank.transfer(id, from, to, cents, "").await?;
        assert_eq!((reply.status, reply.problem()), (422, code), "{reply:?}");
        assert_eq!(reply.body["fields"], json!([field]));
        assert_eq!(bank.get(&format!("/transfers/{id}")).await?.status, 404);
    }
    let body = json!({ "from": account, "to": VAULT, "cents": 1 });
    let none = bank.post("/transfers", &body).await?;
    assert_eq!(
        (none.status, none.problem()),
        (400, "idempotency_key_missing")
    );
    for bad in ["x", "", "'; DROP TABLE bank_user"] {
        let request = bank.request(Method::POST, "/transfers");
        let reply = Reply::of(request.header("Idempotency-Key", bad).json(&body)).await?;
        assert_eq!(
            (reply.status, reply.problem()),
            (400, "idempotency_key_not_allowed")
        );
    }
    let odd = bank
        .transfer(key(), account, VAULT, 1, "?order=odd")
        .await?;
    assert_eq!((odd.status, odd.problem()), (422, "order_not_allowed"));
    assert_eq!(bank.cents(account).await?, 100);
    bank.close().await
}

/// A token from 1970: nobody can tell any more what became of that commit.
async fn a_transfer_that_is_there_is_found_by_any_commit(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let (account, key) = (bank.account(0).await?, Uuid::new_v4());
    let commit = format!("?commit={}", "0".repeat(32));
    let unknown = bank.get(&format!("/transfers/{key}{commit}")).await?;
    assert_eq!(
        (unknown.status, unknown.problem()),
        (503, "outcome_unknown"),
        "{unknown:?}"
    );
    // Whoever asks has stored nothing, and no outcome of their own.
    assert_eq!(unknown.body.get("outcome"), None, "{unknown:?}");
    let made = bank.transfer(key, VAULT, account, 5, "").await?;
    assert_eq!(made.status, 201, "{made:?}");
    let found = bank.get(&format!("/transfers/{key}{commit}")).await?;
    assert_eq!((found.status, &found.body), (200, &made.body), "{found:?}");
    bank.close().await
}

async fn a_statement_is_read_in_pages(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let account = bank.account(0).await?;
    let mut keys = Vec::new();
    for cents in 1..=5 {
        let key = Uuid::new_v4();
        let made = bank.transfer(key, VAULT, account, cents, "").await?;
        assert_eq!(made.status, 201, "{made:?}");
        keys.push(key.to_string());
    }
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = format!("/accounts/{account}/statement?limit=2{before}");
        let page = bank.get(&page).await?.body;
        assert_eq!(page["account"]["cents"], 15);
        let transfers = page["transfers"].as_array().expect("an array");
        let ids = transfers.iter().map(|one| &one["id"]);
        seen.extend(ids.map(|id| id.as_str().expect("a text").to_owned()));
        match &page["before"] {
            Value::String(last) => before = format!("&before={last}"),
            none => {
                assert_eq!(*none, Value::Null);
                break;
            }
        }
    }
    // Transfers of one millisecond may come in any order.
    seen.sort();
    keys.sort();
    assert_eq!(seen, keys);
    bank.close().await
}

engine_tests! {
    they_are_refused_as_problem_documents, so_are_transfers, a_statement_is_read_in_pages,
    a_transfer_that_is_there_is_found_by_any_commit
}
