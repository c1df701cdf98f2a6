//! Customers who move money, and what they were told.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use reqwest::StatusCode;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use crate::{
    Failure,
    bank::{Answer, Bank, Transfer},
    options::Options,
    tally::{Counter, Tally},
};

/// What each account begins with, in cents.
const BEGIN: i64 = 1_000_000;

/// The bank's own account.
const VAULT: i64 = bank_service::repositories::VAULT;

/// Accounts that nobody else knows of.
#[derive(Clone, Debug)]
pub(crate) struct Customers {
    pub(crate) accounts: Vec<i64>,
    /// What the vault has put into each of them.
    pub(crate) funding: Vec<Transfer>,
}

impl Customers {
    /// New ones, with money from the vault.
    pub(crate) async fn sign_up(bank: &Bank, number: u32) -> Result<Self, Failure> {
        let accounts = try_join_all((0..number).map(|_| bank.open_account())).await?;
        let mut funding = Vec::new();
        for &to in &accounts {
            let wanted = Transfer {
                key: Uuid::new_v4(),
                from: VAULT,
                to,
                cents: BEGIN,
            };
            let answer = settle(bank, &wanted).await?;
            if !answer.is(StatusCode::CREATED) && !answer.is(StatusCode::OK) {
                return Err(format!("the vault gives nothing: {}", answer.label()).into());
            }
            funding.push(wanted);
        }
        Ok(Self { accounts, funding })
    }
}

/// Sends a transfer until it is certain what became of it.
pub(crate) async fn settle(bank: &Bank, wanted: &Transfer) -> Result<Answer, Failure> {
    for _ in 0..60 {
        let answer = bank.transfer(wanted, false).await;
        if answer.is_certain() {
            return Ok(answer);
        }
        sleep(Duration::from_millis(500)).await;
    }
    Err(format!("nobody can tell what became of transfer {}", wanted.key).into())
}

/// A transfer, and what was said of it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) wanted: Transfer,
    /// The last answer that was certain.
    pub(crate) answer: Option<Answer>,
    /// Whether it was sent more than once, or without an answer: then a refusal is looked at again.
    pub(crate) in_doubt: bool,
}

/// What all tasks did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) records: Vec<Record>,
    pub(crate) tally: Tally,
    pub(crate) took: Duration,
}

/// A load that is not started.
#[derive(Debug)]
pub(crate) struct Load {
    tasks: Vec<Task>,
    stop: watch::Sender<bool>,
    counter: Counter,
}

/// A load that runs.
#[derive(Debug)]
pub(crate) struct Running {
    tasks: Vec<JoinHandle<Done>>,
    stop: watch::Sender<bool>,
    begun: Instant,
}

impl Load {
    pub(crate) fn new(
        bank: &Bank,
        customers: &Customers,
        options: &Options,
        deadlocks: bool,
    ) -> Self {
        let counter = Counter::default();
        let pause = options
            .rate
            .map(|rate| Duration::from_secs(1).mul_f64(f64::from(options.tasks) / f64::from(rate)));
        let task = |number: u32| Task {
            bank: bank.clone(),
            accounts: customers.accounts.clone(),
            random: fastrand::Rng::with_seed(options.seed.wrapping_add(u64::from(number))),
            pause,
            deadlocks,
            counter: counter.clone(),
            done: Done::default(),
        };
        Self {
            tasks: (0..options.tasks).map(task).collect(),
            stop: watch::Sender::new(false),
            counter,
        }
    }

    pub(crate) fn counter(&self) -> Counter {
        self.counter.clone()
    }

    pub(crate) fn start(self) -> Running {
        let spawn = |task: Task| tokio::spawn(task.run(self.stop.subscribe()));
        Running {
            tasks: self.tasks.into_iter().map(spawn).collect(),
            stop: self.stop,
            begun: Instant::now(),
        }
    }
}

impl Running {
    /// Lets each task finish what it is about.
    pub(crate) async fn finish(self) -> Result<Done, Failure> {
        self.stop.send_replace(true);
        let mut all = Done::default();
        for task in join_all(self.tasks).await {
            let task = task?;
            all.records.extend(task.records);
            all.tally.merge(task.tally);
        }
        all.took = self.begun.elapsed();
        Ok(all)
    }
}

/// One customer at a time.
#[derive(Debug)]
struct Task {
    bank: Bank,
    accounts: Vec<i64>,
    random: fastrand::Rng,
    pause: Option<Duration>,
    deadlocks: bool,
    counter: Counter,
    done: Done,
}

impl Task {
    async fn run(mut self, stop: watch::Receiver<bool>) -> Done {
        let mut pace = self.pause.map(|pause| {
            let mut pace = interval(pause);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        while !*stop.borrow() {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            match self.random.u32(0..100) {
                0..10 => self.statement().await,
                10..15 => self.again().await,
                _ => self.transfer().await,
            }
        }
        self.done
    }

    async fn statement(&mut self) {
        let id = self.accounts[self.random.usize(..self.accounts.len())];
        let begun = Instant::now();
        let answer = self.bank.statement(id).await;
        self.note("statement", &answer, begun);
    }

    async fn transfer(&mut self) {
        // With deadlocks, every second transfer is between the first two.
        let unsorted = self.deadlocks && self.random.bool();
        let among = if unsorted { 2 } else { self.accounts.len() };
        let from = self.random.usize(..among);
        let to = (from + self.random.usize(1..among)) % among;
        let wanted = Transfer {
            key: Uuid::new_v4(),
            from: self.accounts[from],
            to: self.accounts[to],
            // Sometimes more than anybody has.
            cents: match self.random.u32(0..50) {
                0 => BEGIN * 1_000,
                _ => self.random.i64(1..2_000),
            },
        };
        let kind = if unsorted {
            "transfer, unsorted"
        } else {
            "transfer"
        };
        let begun = Instant::now();
        let answer = self.bank.transfer(&wanted, unsorted).await;
        self.note(kind, &answer, begun);
        let certain = answer.is_certain();
        self.done.records.push(Record {
            wanted,
            answer: certain.then_some(answer),
            in_doubt: !certain,
        });
    }

    /// Sends one of its transfers again, as a client does that has lost the answer.
    async fn again(&mut self) {
        if self.done.records.is_empty() {
            return;
        }
        let which = self.random.usize(..self.done.records.len());
        let wanted = self.done.records[which].wanted.clone();
        let begun = Instant::now();
        let answer = self.bank.transfer(&wanted, false).await;
        self.note("transfer, sent again", &answer, begun);
        let record = &mut self.done.records[which];
        record.in_doubt = true;
        // What has moved stays moved; a 201 after that would be a second time.
        let moved = record.answer.as_ref();
        let moved = moved.is_some_and(|a| a.is(StatusCode::CREATED) || a.is(StatusCode::OK));
        if answer.is_certain() && !(moved && answer.is(StatusCode::OK)) {
            record.answer = Some(answer);
        }
    }

    fn note(&mut self, kind: &'static str, answer: &Answer, begun: Instant) {
        self.counter.add();
        self.done.tally.note(kind, answer, begun.elapsed());
    }
}
