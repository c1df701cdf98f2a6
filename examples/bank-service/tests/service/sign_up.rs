//! Signing up, and what cannot be had.

use serde_json::{Value, json};
use support::{Engine, TestResult, engine_tests};

use crate::rig::Bank;

fn ada() -> Value {
    json!({ "handle": "ada", "email": "Ada@Example.com", "age": 36 })
}

fn with(changes: &Value) -> Value {
    let mut body = json!({ "handle": "bob", "email": "bob@example.com", "age": 20 });
    for (name, value) in changes.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

async fn a_user_gets_an_account(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let new = bank.post("/users", &ada()).await?;
    assert_eq!((new.status, new.kind.as_str()), (201, "application/json"));
    let (user, account) = (&new.body["user"], &new.body["account"]);
    assert_eq!(user["handle"], "ada");
    assert_eq!(user["email"], "ada@example.com");
    assert_eq!(account["owner_id"], user["id"]);
    assert_eq!(account["cents"], 0);
    let place = new.headers["location"].to_str()?;
    assert_eq!(bank.get(place).await?.body, *account);
    let invited = with(&json!({ "invited_by": user["id"] }));
    let second = bank.post("/users", &invited).await?;
    assert_eq!(second.status, 201, "{second:?}");
    assert_eq!(second.body["user"]["invited_by"], user["id"]);
    bank.close().await
}

/// Every violation is a problem document with the same code, fields and words on every engine, and
/// nothing of what was refused is stored.
async fn violations_are_problem_documents(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    assert_eq!(bank.post("/users", &ada()).await?.status, 201);
    let before = bank.get("/audit").await?.body;
    for (change, status, code, kind, field, suggestion) in [
        (
            json!({ "handle": "ada" }),
            409,
            "handle_taken",
            "unique",
            "handle",
            Some("try another one"),
        ),
        (
            json!({ "email": "aDa@example.com" }),
            409,
            "email_taken",
            "unique",
            "email",
            Some("sign in instead"),
        ),
        (
            json!({ "handle": "b" }),
            422,
            "handle_too_short",
            "check",
            "handle",
            None,
        ),
        (json!({ "age": 17 }), 422, "too_young", "check", "age", None),
        (
            json!({ "invited_by": 4711 }),
            422,
            "no_such_inviter",
            "foreign_key",
            "invited_by",
            Some("leave the invitation out"),
        ),
    ] {
        let reply = bank.post("/users", &with(&change)).await?;
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(reply.problem(), code);
        assert_eq!(reply.body["kind"], kind, "{reply:?}");
        assert_eq!(reply.body["fields"], json!([field]), "{reply:?}");
        assert_eq!(reply.body["suggestion"].as_str(), suggestion, "{reply:?}");
        let text = reply.body.to_string();
        assert!(!text.contains("example.com"), "{text}");
        let known = [
            "type",
            "title",
            "status",
            "detail",
            "code",
            "kind",
            "fields",
            "suggestion",
        ];
        let members = reply.body.as_object().expect("an object");
        assert!(
            members.keys().all(|name| known.contains(&&**name)),
            "{text}"
        );
    }
    assert_eq!(bank.get("/audit").await?.body, before);
    // The handle is still free.
    assert_eq!(bank.post("/users", &with(&json!({}))).await?.status, 201);
    bank.close().await
}

/// Of many who want the same handle at the same time, one gets it.
async fn one_of_many_gets_the_handle(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let wanted = |n: u32| with(&json!({ "email": format!("{n}@example.com") }));
    let bodies: Vec<Value> = (0..8).map(wanted).collect();
    let all = bodies.iter().map(|body| bank.post("/users", body));
    let replies = futures_util::future::try_join_all(all).await?;
    let got = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(got, 1, "{replies:?}");
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!((reply.status, reply.problem()), (409, "handle_taken"));
    }
    bank.close().await
}

engine_tests! {
    a_user_gets_an_account, violations_are_problem_documents, one_of_many_gets_the_handle
}
