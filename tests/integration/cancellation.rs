//! Promise 6: a future that is dropped, at whatever await point, leaves nothing behind.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{ResilientConnection, prelude::*};
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, TestResult, engine_tests};

use crate::{
    bank::{Bank, add, enter},
    rig::{Rig, cut_after, nothing_leaks, nothing_open, polled},
};

/// A transfer of 1 from account 1 to account 2, and the entry `id` that proves it, in every form
/// that has await points of its own.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Plain,
    Nested,
    FailingNested,
    Retried,
    Refused,
}

pub const FORMS: [Form; 5] = [
    Form::Plain,
    Form::Nested,
    Form::FailingNested,
    Form::Retried,
    Form::Refused,
];

#[derive(Clone)]
pub struct Repo {
    pub db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn plain(&self, id: i64) -> Result<()> {
        add(&self.db, 1, -1).await?;
        add(&self.db, 2, 1).await?;
        note(&self.db, id).await
    }

    pub async fn nested(&self, id: i64) -> Result<()> {
        add(&self.db, 1, -1).await?;
        self.noted(id).await?;
        add(&self.db, 2, 1).await
    }

    pub async fn noted(&self, id: i64) -> Result<()> {
        note(&self.db, id).await
    }

    pub async fn failing_nested(&self, id: i64) -> Result<()> {
        add(&self.db, 1, -1).await?;
        let _ = self.fails(id).await;
        add(&self.db, 2, 1).await?;
        note(&self.db, id).await
    }

    pub async fn fails(&self, id: i64) -> Result<()> {
        note(&self.db, -id).await?;
        note(&self.db, -id).await
    }

    #[resilient(retries = 1, on = [unique], backoff = fixed("1ms"))]
    pub async fn retried(&self, id: i64, first: Arc<AtomicBool>) -> Result<()> {
        add(&self.db, 1, -1).await?;
        note(&self.db, id).await?;
        if first.swap(false, Ordering::SeqCst) {
            note(&self.db, id).await?;
        }
        add(&self.db, 2, 1).await
    }

    pub async fn refused(&self, id: i64) -> Result<()> {
        add(&self.db, 1, -1).await?;
        note(&self.db, id).await?;
        Err(Error::custom("the body refuses"))
    }
}

impl Repo {
    pub async fn call(&self, form: Form, id: i64) -> Result<()> {
        match form {
            Form::Plain => self.plain(id).await,
            Form::Nested => self.nested(id).await,
            Form::FailingNested => self.failing_nested(id).await,
            Form::Retried => self.retried(id, Arc::new(AtomicBool::new(true))).await,
            Form::Refused => self.refused(id).await,
        }
    }
}

async fn note(db: &ResilientConnection, id: i64) -> Result<()> {
    enter(db, id, &id.to_string()).await
}

/// What the callers were told, to be compared with what is stored.
#[derive(Debug, Default)]
pub struct Told {
    pub done: BTreeSet<i64>,
    pub refused: BTreeSet<i64>,
    pub cut: usize,
}

impl Told {
    pub fn hear(&mut self, form: Form, id: i64, answer: Option<Result<()>>) {
        match (form, answer) {
            (_, None) => self.cut += 1,
            (Form::Refused, Some(answer)) => {
                assert!(answer.is_err());
                self.refused.insert(id);
            }
            (_, Some(answer)) => {
                answer.unwrap_or_else(|e| panic!("{form:?} {id} was not cancelled: {e}"));
                self.done.insert(id);
            }
        }
    }

    /// Each transfer is there with its entry or not at all, and what was promised holds.
    pub async fn agrees_with(&self, bank: &Bank) {
        let stored = entries(bank).await;
        let moved = i64::try_from(stored.len()).unwrap();
        assert_eq!(bank.balance(1).await, 100_000 - moved, "no half transfer");
        assert_eq!(bank.balance(2).await, 100_000 + moved, "no half transfer");
        assert!(stored.iter().all(|id| *id > 0), "a savepoint's work stayed");
        assert!(self.done.is_subset(&stored), "an Ok is not stored");
        assert!(self.refused.is_disjoint(&stored), "a refusal is stored");
    }
}

pub async fn entries(bank: &Bank) -> BTreeSet<i64> {
    let admin = bank.test.admin();
    let query = Statement::from_string(admin.get_database_backend(), "SELECT id FROM entry");
    let rows = admin.query_all_raw(query).await.expect("entries");
    let id = |row: &sea_orm::QueryResult| i64::from(row.try_get::<i32>("", "id").expect("id"));
    rows.iter().map(id).collect()
}

async fn a_call_may_be_dropped_at_every_await_point(engine: Engine) -> TestResult {
    const ROUNDS: usize = 20;
    let bank = Rig::new(4).bank(engine, 2).await;
    let repo = Repo {
        db: bank.db.clone(),
    };
    let (mut told, mut id) = (Told::default(), 0);
    for form in FORMS {
        for answered in [false, true] {
            let enough = told.cut + 60;
            // Under load the answers are often faster than the polls, and a call needs few.
            for polls in (1..=20).cycle().take(200) {
                for _ in 0..ROUNDS {
                    id += 1;
                    let answer = polled(repo.call(form, id), polls, answered).await;
                    told.hear(form, id, answer);
                }
                nothing_open(&bank).await;
                if polls == 20 && told.cut >= enough {
                    break;
                }
            }
            assert!(told.cut >= enough, "{form:?} was hardly cancelled");
        }
        told.agrees_with(&bank).await;
    }
    assert!(told.cut > 500, "only {} were cancelled", told.cut);
    nothing_leaks(&bank, 4).await;
    Ok(())
}

async fn calls_that_wait_for_the_pool_and_for_locks_may_be_dropped_at_any_time(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let lanes = (0..6_u64).map(|lane| {
        let repo = Repo {
            db: bank.db.clone(),
        };
        tokio::spawn(async move {
            let (mut told, mut random) = (Told::default(), fastrand::Rng::with_seed(lane));
            for n in 0..400 {
                let form = FORMS[random.usize(..FORMS.len())];
                let id = 1 + i64::try_from(lane * 10_000 + n).unwrap();
                let time = Duration::from_micros(random.u64(..6000));
                told.hear(form, id, cut_after(repo.call(form, id), time).await);
            }
            told
        })
    });
    let mut all = Told::default();
    for lane in futures_util::future::join_all(lanes).await {
        let told = lane?;
        all.done.extend(told.done);
        all.refused.extend(told.refused);
        all.cut += told.cut;
    }
    nothing_leaks(&bank, 2).await;
    all.agrees_with(&bank).await;
    assert!(all.cut > 100, "only {} were cancelled", all.cut);
    Ok(())
}

engine_tests! {
    a_call_may_be_dropped_at_every_await_point,
    calls_that_wait_for_the_pool_and_for_locks_may_be_dropped_at_any_time,
}
