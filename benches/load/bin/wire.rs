//! A transaction of a SELECT and an UPDATE: by hand on SeaORM and on sqlx, and as a resilient
//! method. One line of JSON for each figure.
//!
//! ```text
//! with-servers wire                     # wall times, interleaved
//! with-servers wire --case ours --calls 400   # one case, for callgrind
//! with-servers wire --instructions      # counts them by callgrind
//! ```

use std::{process::Command, time::Instant};

use resilient_load_benches::{Result, account, argument, flag, median, server, tell};
use resilient_sea_orm::{ResilientConnection, prelude::*};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, EntityTrait,
    ExprTrait, QueryFilter, TransactionTrait, sea_query::Expr,
};
use serde_json::json;

const URL: &str = "RESILIENT_TEST_POSTGRES_URL";
const WARM: u32 = 50;

const CASES: [&str; 10] = [
    "hand",
    "hand, no test",
    "ours",
    "hand, serializable",
    "hand, no test, serializable",
    "ours, serializable",
    "sqlx",
    "hand, one read",
    "ours, one read",
    "ours, supports, one read",
];

/// What is compared with what.
const PAIRS: [(&str, &str); 5] = [
    ("ours", "hand"),
    ("ours", "hand, no test"),
    ("ours, serializable", "hand, serializable"),
    ("ours, serializable", "hand, no test, serializable"),
    ("ours, supports, one read", "hand, one read"),
];

struct Accounts {
    db: ResilientConnection,
}

#[resilient]
impl Accounts {
    pub(crate) async fn touch(&self) -> resilient_sea_orm::Result<()> {
        Ok(work(&self.db).await?)
    }

    #[resilient(isolation = "serializable")]
    pub(crate) async fn touch_strictly(&self) -> resilient_sea_orm::Result<()> {
        Ok(work(&self.db).await?)
    }

    pub(crate) async fn peek(&self) -> resilient_sea_orm::Result<()> {
        Ok(read(&self.db).await?)
    }

    #[resilient(propagation = "supports")]
    pub(crate) async fn peek_plainly(&self) -> resilient_sea_orm::Result<()> {
        Ok(read(&self.db).await?)
    }
}

async fn read(db: &impl ConnectionTrait) -> std::result::Result<(), DbErr> {
    account::Entity::find_by_id(1).one(db).await.map(drop)
}

async fn work(db: &impl ConnectionTrait) -> std::result::Result<(), DbErr> {
    read(db).await?;
    account::Entity::update_many()
        .col_expr(
            account::Column::Balance,
            Expr::col(account::Column::Balance).add(1),
        )
        .filter(account::Column::Id.eq(1))
        .exec(db)
        .await
        .map(drop)
}

struct Stand {
    hand: DatabaseConnection,
    untested: DatabaseConnection,
    ours: Accounts,
    sqlx: sqlx::PgPool,
}

impl Stand {
    async fn new() -> Result<Self> {
        let url = server(URL)?;
        let mut options = ConnectOptions::new(&url);
        options
            .min_connections(1)
            .max_connections(4)
            .sqlx_logging(false);
        let mut untested = options.clone();
        untested.test_before_acquire(false);
        let stand = Self {
            hand: Database::connect(options.clone()).await?,
            untested: Database::connect(untested).await?,
            ours: Accounts {
                db: ResilientConnection::connect(options).await?,
            },
            sqlx: sqlx::PgPool::connect(&url).await?,
        };
        for sql in [
            "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL)",
            "INSERT INTO account VALUES (1, 0) ON CONFLICT DO NOTHING",
        ] {
            stand.hand.execute_unprepared(sql).await?;
        }
        Ok(stand)
    }

    async fn call(&self, case: &str) -> Result {
        let strict = case.contains("serializable");
        let isolation = strict.then_some(sea_orm::IsolationLevel::Serializable);
        match case {
            "hand, one read" => read(&self.hand).await?,
            "ours, one read" => self.ours.peek().await?,
            "ours, supports, one read" => self.ours.peek_plainly().await?,
            "ours" => self.ours.touch().await?,
            "ours, serializable" => self.ours.touch_strictly().await?,
            "sqlx" => {
                let mut begun = self.sqlx.begin().await?;
                sqlx::query("SELECT id, balance FROM account WHERE id = $1")
                    .bind(1)
                    .fetch_one(&mut *begun)
                    .await?;
                sqlx::query("UPDATE account SET balance = balance + $1 WHERE id = $2")
                    .bind(1_i64)
                    .bind(1)
                    .execute(&mut *begun)
                    .await?;
                begun.commit().await?;
            }
            _ => {
                let db = if case.contains("no test") {
                    &self.untested
                } else {
                    &self.hand
                };
                let begun = db.begin_with_config(isolation, None).await?;
                work(&begun).await?;
                begun.commit().await?;
            }
        }
        Ok(())
    }

    async fn calls(&self, case: &str, calls: u32) -> Result {
        for _ in 0..calls {
            self.call(case).await?;
        }
        Ok(())
    }
}

/// Rounds of a few calls of each case, so that what disturbs one disturbs all.
async fn wall() -> Result {
    const CALLS: u32 = 20;
    let rounds: usize = argument("--rounds").map_or(Ok(100), |n| n.parse())?;
    let stand = Stand::new().await?;
    for case in CASES {
        stand.calls(case, WARM).await?;
    }
    let mut times = vec![Vec::new(); CASES.len()];
    for round in 0..rounds {
        for n in 0..CASES.len() {
            let n = (n + round) % CASES.len();
            let begun = Instant::now();
            stand.calls(CASES[n], CALLS).await?;
            times[n].push(begun.elapsed() / CALLS);
        }
    }
    let of = |case: &str| {
        let n = CASES.iter().position(|c| *c == case).unwrap_or_default();
        median(times[n].clone()).as_secs_f64()
    };
    for case in CASES {
        tell(&json!({"group": "wire", "case": case, "micros": of(case) * 1e6}));
    }
    for (one, other) in PAIRS {
        tell(
            &json!({"group": "wire", "case": one, "beside": other, "wall_ratio": of(one) / of(other)}),
        );
    }
    Ok(())
}

/// Instructions of one call: those of a run with more calls less those of one with fewer.
fn instructions() -> Result {
    const FEW: u32 = 200;
    const MANY: u32 = 600;
    let mut counts = Vec::new();
    let only = argument("--only");
    for case in CASES {
        if only
            .as_ref()
            .is_some_and(|only| !case.contains(only.as_str()))
        {
            continue;
        }
        let (few, many) = (count(case, FEW)?, count(case, MANY)?);
        let each = (many - few) / f64::from(MANY - FEW);
        tell(&json!({"group": "wire", "case": case, "instructions": each}));
        counts.push((case, each));
    }
    let of = |case: &str| counts.iter().find(|(c, _)| *c == case).map(|(_, n)| *n);
    for (one, other) in PAIRS {
        if let (Some(ours), Some(theirs)) = (of(one), of(other)) {
            tell(
                &json!({"group": "wire", "case": one, "beside": other, "instruction_ratio": ours / theirs}),
            );
        }
    }
    Ok(())
}

fn count(case: &str, calls: u32) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--case", case, "--calls", &calls.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    match counted {
        Some((_, count)) if output.status.success() => Ok(count.trim().parse()?),
        _ => Err(format!("callgrind: {text}").into()),
    }
}

fn main() -> Result {
    if flag("--instructions") {
        return instructions();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let Some(case) = argument("--case") else {
            return wall().await;
        };
        let calls = argument("--calls").map_or(Ok(400), |n| n.parse())?;
        let stand = Stand::new().await?;
        stand.calls(&case, WARM + calls).await
    })
}
