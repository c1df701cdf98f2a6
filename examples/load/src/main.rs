//! Load and trouble for the bank service, and what became of its money.
//!
//! `cargo run -p bank-load -- --demo` starts the service too, and says where its dashboard is.

mod bank;
mod demo;
mod load;
mod options;
mod report;
mod tally;
mod trouble;
mod verdict;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use bank::Bank;
use demo::Demo;
use load::{Customers, Load};
use options::Options;
use trouble::Trouble;

/// What ends the program early.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("bank-load: the money is not where it should be");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bank-load: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether the books are right at the end.
async fn run(mut options: Options) -> Result<bool, Failure> {
    let demo = if options.demo {
        Some(Demo::start(&mut options).await?)
    } else {
        None
    };
    let held = work(&options).await;
    if let Some(demo) = demo {
        demo.end().await?;
    }
    held
}

async fn work(options: &Options) -> Result<bool, Failure> {
    let bank = Bank::new(&options.url)?;
    let before = bank.books().await?;
    let retries_before = report::retries(&bank, options.token()).await;
    let customers = Customers::sign_up(&bank, options.accounts).await?;
    println!(
        "{} tasks move money between {} accounts at {} for {} s.",
        options.tasks,
        options.accounts,
        options.url,
        options.seconds()
    );
    let mut trouble = Trouble::prepare(&bank, options, &customers).await;
    let load = Load::new(&bank, &customers, options, trouble.deadlocks());
    let troubles = trouble.start();
    let records = run_until_over(load, options).await?;
    let made = trouble::finish(troubles).await?;

    let verdict = verdict::reach(&bank, &customers, records, &before).await?;
    let retries = report::retries(&bank, options.token()).await;
    report::print(&verdict, &made, &retries_before, &retries);
    Ok(verdict.holds())
}

/// Until the time is over or somebody presses ctrl-c; the summary follows in both cases.
async fn run_until_over(load: Load, options: &Options) -> Result<load::Done, Failure> {
    let bar = ProgressBar::new(options.seconds());
    let style = "{elapsed:>4} [{bar:40}] {eta:>4} left   {msg}";
    bar.set_style(ProgressStyle::with_template(style)?);
    let counter = load.counter();
    let running = load.start();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    let mut last = 0;
    for _ in 0..options.seconds() {
        tokio::select! {
            _ = second.tick() => {}
            pressed = tokio::signal::ctrl_c() => {
                pressed?;
                break;
            }
        }
        let now = counter.get();
        bar.inc(1);
        bar.set_message(format!("{} requests/s, {now} in all", now - last));
        last = now;
    }
    bar.finish_and_clear();
    running.finish().await
}
