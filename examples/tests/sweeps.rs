//! The examples' repositories, with every fault at every step, on every engine.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::missing_errors_doc,
    reason = "the modules of the programs, of which a part is used"
)]

#[path = "../quickstart/bank.rs"]
mod bank;
#[path = "../outbox/deliverer.rs"]
mod deliverer;
#[path = "../signup/entities.rs"]
mod entities;
#[path = "../outbox/orders.rs"]
mod orders;
#[path = "../signup/users.rs"]
mod users;

use std::sync::Arc;

use bank::{Accounts, account, entry};
use deliverer::Receiver;
use entities::{event, user, workspace};
use orders::{Orders, Outbox, message, order};
use resilient_sea_orm::{
    FaultSet, Outcome,
    policy::{BudgetConfig, Delay, RetryPolicy},
    prelude::*,
    testing::{CallOutcome, FaultSweep, fault_sweep},
};
use sea_orm::{ColumnTrait, ConnectOptions, EntityTrait, PaginatorTrait, QueryFilter, Set};
use support::{Engine, TestDb, TestResult, engine_tests};
use tokio::sync::Notify;
use users::{SignUp, SignUpError, Users};

async fn connect(test: &TestDb) -> Result<ResilientConnection> {
    let mut options = ConnectOptions::new(test.url());
    options.max_connections(2).sqlx_logging(false);
    ResilientConnection::builder(options)
        .policy(RetryPolicy::new().delay(Delay::none()))
        .retry_budget(BudgetConfig::new(1.0, 1_000_000))
        .connect()
        .await
}

/// 1000.00 in each account, and a reference that is taken.
async fn open_bank(db: &ResilientConnection) -> Result<()> {
    entry::Entity::delete_many().exec(db).await?;
    account::Entity::delete_many().exec(db).await?;
    let rows = [(1, 100_500), (2, 99_500)].map(|(id, cents)| account::ActiveModel {
        id: Set(id),
        cents: Set(cents),
    });
    account::Entity::insert_many(rows).exec(db).await?;
    let taken = entry::ActiveModel {
        reference: Set("taken".to_owned()),
        cents: Set(0),
        ..Default::default()
    };
    entry::Entity::insert(taken).exec(db).await?;
    Ok(())
}

/// What account 2 has got.
async fn gained(db: &ResilientConnection) -> Result<u64> {
    let second = account::Entity::find_by_id(2).one(db).await?;
    Ok(second.map_or(0, |a| a.cents).abs_diff(99_500))
}

async fn money_is_kept(db: &ResilientConnection, entries: bool) -> Result<(), String> {
    let text = |error: Error| error.to_string();
    let total = bank::total(db).await.map_err(text)?;
    let noted = entry::Entity::find().count(db).await;
    let noted = noted.map_err(|e| e.to_string())? - 1;
    let moved = gained(db).await.map_err(text)?;
    if total == 200_000 && (!entries || (moved > 0) == (noted == 1)) {
        Ok(())
    } else {
        Err(format!("{total} cents, {moved} moved, {noted} noted"))
    }
}

async fn quickstart(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = connect(&test).await?;
    bank::create(&db, 1).await?;
    let accounts = Accounts::new(&db);
    let sweep = |unit: u64| {
        FaultSweep::new()
            .reset(|| open_bank(&db))
            .applied({
                let db = db.clone();
                move || {
                    let db = db.clone();
                    async move { Ok::<_, Error>(gained(&db).await? / unit) }
                }
            })
            .must_heal(FaultSet::CONTENTION)
    };
    let noted = || money_is_kept(&db, true);
    let transfer = || accounts.transfer(1, 2, 7, "new");
    fault_sweep(&db, sweep(7), transfer, noted).await?;
    let anyway = || accounts.transfer_anyway(1, 2, "taken");
    fault_sweep(&db, sweep(1), anyway, noted).await?;
    let even_out = || accounts.even_out(1, 2);
    fault_sweep(&db, sweep(500), even_out, || money_is_kept(&db, false)).await?;
    Ok(())
}

impl CallOutcome for SignUpError {
    fn call_outcome(&self) -> Option<Outcome> {
        match self {
            Self::Database(error) => Some(error.outcome()),
            Self::NoHandleLeft => None,
        }
    }
}

async fn open_workspace(db: &ResilientConnection) -> Result<()> {
    event::Entity::delete_many().exec(db).await?;
    user::Entity::delete_many().exec(db).await?;
    workspace::Entity::delete_many().exec(db).await?;
    Users::new(db).add_workspace(1, "engines").await?;
    let ada = user::ActiveModel {
        workspace_id: Set(1),
        handle: Set("ada".to_owned()),
        email: Set("ada@example.com".to_owned()),
        ..Default::default()
    };
    user::Entity::insert(ada).exec(db).await?;
    Ok(())
}

async fn signup(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = connect(&test).await?;
    entities::create(&db).await?;
    let users = Users::new(&db);
    let sweep = FaultSweep::new()
        .reset(|| open_workspace(&db))
        .applied(|| {
            let second = user::Column::Email.eq("a@example.com");
            user::Entity::find().filter(second).count(&db)
        })
        .must_heal(FaultSet::CONTENTION);
    let sign_up = || users.sign_up(SignUp::new(1, "ada", "a@example.com"));
    // Who signed up wanted to: there are two events, or none.
    let events = || async {
        let (users, events) = users.count().await.map_err(|e| e.to_string())?;
        match (users, events) {
            (1, 0) | (2, 2) => Ok(()),
            other => Err(format!("users and events: {other:?}")),
        }
    };
    fault_sweep(&db, sweep, sign_up, events).await?;
    Ok(())
}

async fn outbox(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = connect(&test).await?;
    orders::create(&db).await?;
    let shop = Orders::new(&db, &Arc::new(Notify::new()));
    let outbox = Outbox::new(&db);
    let empty = || async {
        message::Entity::delete_many().exec(&db).await?;
        order::Entity::delete_many().exec(&db).await
    };
    let sweep = FaultSweep::new()
        .reset(empty)
        .applied(|| shop.count())
        .must_heal(FaultSet::CONTENTION);
    let place = || shop.place("a kettle", true);
    let each_has_one = || async {
        match (shop.count().await, outbox.count().await) {
            (Ok(orders), Ok(messages)) if orders == messages => Ok(()),
            other => Err(format!("orders and messages: {other:?}")),
        }
    };
    fault_sweep(&db, sweep, place, each_has_one).await?;

    // Delivery: what is noted as delivered has arrived, whatever happens.
    let receiver = Receiver::default();
    let two = || async {
        message::Entity::delete_many().exec(&db).await?;
        shop.place("tea", true).await?;
        shop.place("a cup", true).await?;
        Ok::<_, Error>(())
    };
    let deliver = || deliverer::deliver(&outbox, &receiver);
    let arrived = || async {
        let noted = message::Entity::find()
            .filter(message::Column::Delivered.eq(true))
            .all(&db)
            .await;
        let noted = noted.map_err(|e| e.to_string())?;
        match noted.iter().find(|message| !receiver.has(message.id)) {
            None => Ok(()),
            Some(message) => Err(format!("message {} has not arrived", message.id)),
        }
    };
    fault_sweep(&db, FaultSweep::new().reset(two), deliver, arrived).await?;
    Ok(())
}

engine_tests! { quickstart, signup, outbox }
