//! What the expansions do in the crate under test, on `SQLite` in memory.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, atomic::Ordering};

use resilient_renamed_tests::{
    entity, hostile,
    ordinary::{self, Problem, Repo, Token},
    traits::{Inside, Native, Outside, Store},
};
use robust::{ResilientConnection, metrics};

async fn connection(name: &str) -> ResilientConnection {
    let mut options = robust::sea_orm::ConnectOptions::new("sqlite::memory:");
    options.max_connections(1);
    let builder = robust::Builder::default().name(name);
    builder.to(options).connect().await.unwrap()
}

/// How often a method succeeded.
fn calls(method: &str) -> u64 {
    metrics::global().snapshot().method(method).succeeded
}

fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}

#[tokio::test]
async fn names_of_the_user_are_not_ours() {
    let db = connection("hostile").await;
    let mut repo = hostile::Repo { db };
    let sum = repo.collides(1, 2, 4, 8, (16, 32)).await.unwrap();
    assert_eq!(sum, 63);
    assert_eq!(repo.replayed("abc".to_owned()).await.unwrap(), 3);
    let mut out = 1;
    repo.once(&mut out).await.unwrap();
    assert_eq!(out, 2);
    assert_eq!(hostile::declared(&repo.db, 2).await.unwrap(), 42);
    assert_eq!(calls("Repo::collides"), 1);
    assert_eq!(calls("declared"), 1);
    let begun = metrics::global().snapshot().connection("hostile").begun;
    assert_eq!(begun, 4);
}

#[tokio::test]
async fn every_form_of_method_runs() {
    let mut repo = Repo::new(connection("ordinary").await);
    let token = Token("ab".to_owned());
    let (text, more) = (String::new(), String::new());
    let call = repo.patterns(((1, 2), vec![3]), &4, text, more, [5, 0, 0, 6], &token);
    assert_eq!(call.await.unwrap(), 34);
    assert_eq!(repo.r#type(7).await.unwrap(), 7);
    assert_eq!(repo.lifetimes("", "long").await.unwrap(), "long");
    assert_eq!(repo.generic(1, [2, 3], vec![4]).await.unwrap().len(), 4);
    assert_eq!(repo.opaque(3).await.unwrap().count(), 3);
    assert_eq!(repo.body(&["ab", "toolong", "c"]).await.unwrap(), 3);
    assert_eq!(
        repo.clone()
            .consumed()
            .await
            .unwrap()
            .runs
            .load(Ordering::SeqCst),
        7
    );
    let shared = Arc::new(repo.clone());
    assert_eq!(shared.shared("note".to_owned()).await.unwrap(), "note");
    assert_eq!(repo.borrowed(Token("abc".to_owned())).await.unwrap(), 3);
    let mut out = Vec::new();
    repo.moved(token, &mut out).await.unwrap();
    assert_eq!(out[0].0, "ab.");
    assert_eq!(repo.used().await.unwrap(), 11);
    assert_eq!(repo.present(5).await.unwrap(), 5);
    assert_eq!(repo.traced("a", "b".to_owned()).await.unwrap(), 2);
    assert_eq!(repo.ours_first("a".to_owned()).await.unwrap(), 1);
    assert_eq!(repo.ours_last("a".to_owned()).await.unwrap(), 1);
    repo.skipped(Token(String::new())).await.unwrap();
    let free = ordinary::free((*repo.pool).clone(), "abcd".to_owned());
    assert_eq!(free.await.unwrap(), 4);

    for method in [
        "Repo::patterns",
        "Repo::type",
        "Repo::traced",
        "Repo::ours_first",
    ] {
        assert_eq!(calls(method), 1, "{method}");
    }
    assert_eq!(calls("renamed.ours-last"), 1);
    // Another test has a function of this name.
    assert!(calls("free") >= 1);
    assert_eq!(calls("Repo::skipped"), 0);
}

#[tokio::test]
async fn an_error_of_the_user_keeps_ours() {
    let repo = Repo::new(connection("errors").await);
    repo.pool.close_by_ref().await.unwrap();
    let Err(Problem::Database(error)) = repo.body(&[]).await else {
        panic!("the pool is closed");
    };
    assert_eq!(error.method(), Some("Repo::body"));
}

#[tokio::test]
async fn an_owned_argument_is_there_again() {
    let repo = Repo::new(connection("recovers").await);
    // The error is the body's own and no fault of the connection: it is not retried.
    let error = repo.recovers(1, "x".to_owned()).await.unwrap_err();
    assert_eq!(error.attempts(), 1);
    assert_eq!(repo.recovers(1, "x".to_owned()).await.unwrap(), "x");
}

#[tokio::test]
async fn trait_impls_run_in_both_orders_and_through_dyn() {
    let db = connection("traits").await;
    let outside = Arc::new(Outside {
        db: db.clone(),
        item: 1,
    });
    let inside = Arc::new(Inside { db, item: "a" });
    let stores: [&dyn Store; 2] = [&*outside, &*inside];
    for store in stores {
        assert_eq!(store.read("ab").await.unwrap(), 2);
        let written = store.write("ab".to_owned(), (12, vec![1])).await;
        assert_eq!(written.unwrap(), 5, "{}", store.name());
    }
    assert_eq!(
        spawn(outside.clone().share("a".to_owned()))
            .await
            .unwrap()
            .unwrap(),
        1
    );
    assert_eq!(
        spawn(inside.share("a".to_owned())).await.unwrap().unwrap(),
        1
    );
    let counted = spawn(async move { outside.count("abc".to_owned()).await });
    assert_eq!(counted.await.unwrap().unwrap(), 3);
    for method in [
        "Outside::write",
        "Inside::write",
        "Outside::share",
        "Inside::share",
    ] {
        assert_eq!(calls(method), 1, "{method}");
    }
    assert_eq!(calls("Outside::count"), 1);
}

#[tokio::test]
async fn futures_own_what_they_need() {
    let repo = Arc::new(Repo::new(connection("spawned").await));
    let first = spawn(repo.clone().shared("a".to_owned()));
    let second = spawn({
        let repo = Repo::clone(&repo);
        async move { repo.generic(1_u8, [], None).await }
    });
    let third = spawn(ordinary::free((*repo.pool).clone(), String::new()));
    assert_eq!(first.await.unwrap().unwrap(), "a");
    assert_eq!(second.await.unwrap().unwrap(), [1]);
    assert_eq!(third.await.unwrap().unwrap(), 0);
}

#[test]
fn a_declaration_arrives_under_any_name() {
    use robust::constraint::{Declaration, Rule, declarations};

    let expected = Declaration::of("hostile")
        .entity("resilient_renamed_tests::entity::Entity")
        .database("hostile")
        .rule(
            Rule::unique(["the_id", "the_type"])
                .message("{column} is taken")
                .code("taken"),
        )
        .rule(Rule::check("some_check"))
        .rule(Rule::not_null("the_id"));
    assert_eq!(declarations().to_vec(), [expected]);
}

#[test]
fn an_error_is_converted_under_any_name() {
    let theirs = || robust::sea_orm::DbErr::RecordNotFound("account".to_owned());
    let converted: [entity::Failure<u8>; 2] =
        [theirs().into(), robust::Error::from(theirs()).into()];
    for failure in converted {
        let entity::Failure::Database(error) = failure else {
            panic!("it is the database's");
        };
        assert_eq!(error.db_err(), Some(&theirs()));
    }
}
