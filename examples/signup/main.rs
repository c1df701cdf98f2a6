//! Signing up, where the name that somebody wants may be taken.
//!
//! `cargo run --example signup` uses an SQLite database in memory. `--database-url` runs the same
//! on PostgreSQL, MySQL or MariaDB: in a database that may be written to, as it drops and creates
//! the tables `signup_workspace`, `signup_user` and `signup_event`.

#![allow(unreachable_pub, reason = "a program's modules have no outside")]

mod entities;
mod language;
mod users;

use std::{process::ExitCode, sync::Arc};

use clap::Parser;
use language::{LANGUAGE, Language};
use resilient_sea_orm::{
    ResilientConnection, Result, Violation,
    constraint::{MessageResolver, set_message_resolver},
    metrics,
};
use sea_orm::ConnectOptions;
use users::{SignUp, Users};

/// Signing up, where the name that somebody wants may be taken.
#[derive(Clone, Debug, Parser)]
struct Options {
    /// Where the users live; an SQLite database in memory if not given.
    #[arg(long, default_value = "sqlite::memory:", hide_default_value = true)]
    database_url: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("signup: the story did not end as it should");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("signup: {error}");
            if let Some(source) = error.db_err() {
                eprintln!("  caused by: {source}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<bool> {
    let mut pool = ConnectOptions::new(&options.database_url);
    // Each connection to `:memory:` is a database of its own.
    let memory = options.database_url.contains(":memory:");
    pool.max_connections(if memory { 1 } else { 4 })
        .sqlx_logging(false);
    let db = ResilientConnection::connect(pool).await?;
    entities::create(&db).await?;

    println!("Start-up, on {}:", db.name());
    println!("  {}\n", db.verify_constraints().await?.log());

    let users = Users::new(&db);
    users.add_workspace(1, "engines").await?;

    println!("Two people want the same handle:");
    let ada = users
        .sign_up(SignUp::new(1, "ada", "ada@example.com"))
        .await;
    let second = users.sign_up(SignUp::new(1, "ada", "a@example.com")).await;
    for user in [&ada, &second] {
        match user {
            Ok(user) => println!("  {} signed up as {:?}", user.email, user.handle),
            Err(error) => println!("  {error}"),
        }
    }

    println!("\nWhat cannot be had is refused in words, here in two languages:");
    set_message_resolver(Some(resolver()));
    let mut refused = 0;
    for wrong in [
        SignUp::new(1, "grace", "ada@example.com"),
        SignUp::new(9, "grace", "grace@example.com"),
        SignUp::new(1, "g", "grace@example.com"),
    ] {
        for language in [Language::English, Language::German] {
            let attempt = LANGUAGE.scope(language, users.sign_up(wrong.clone()));
            let Err(error) = attempt.await else { continue };
            let Some(violation) = error.violation() else {
                println!("  {error}");
                continue;
            };
            refused += 1;
            show(language, violation);
        }
    }
    let Err(in_use) = users.remove_workspace(1).await else {
        return Ok(false);
    };
    in_use.violation().inspect(|violation| {
        show(Language::English, violation);
        refused += 1;
    });

    println!("\nCounted:");
    for seen in metrics::global().snapshot().violations {
        let name = seen.constraint.unwrap_or_else(|| seen.columns.join(", "));
        let table = seen.table.unwrap_or_default();
        println!("  {:>3} × {} {table}: {name}", seen.count, seen.kind);
    }
    let (users_stored, events) = users.count().await?;
    println!("\n{users_stored} users and {events} events are stored.");
    // The refused handle took nothing with it: its sign-up kept the event from before.
    Ok(second.is_ok_and(|user| user.handle == "ada1")
        && refused == 7
        && (users_stored, events) == (2, 4))
}

fn resolver() -> Arc<dyn MessageResolver> {
    Arc::new(language::translate)
}

fn show(language: Language, violation: &Violation) {
    let problem = violation.problem();
    let suggestion = problem.suggestion.as_deref().unwrap_or("-");
    println!(
        "  {} {} [{}] {} ({suggestion})",
        language, problem.status, problem.code, problem.detail
    );
}
