//! Round trips of a call, counted by a proxy that understands the protocol. They are exact, and the
//! same in every build. A package of its own: the tests' proxy comes with features of ours that
//! calls which are timed must not have.

use std::time::Duration;

use resilient_benches::{
    Result, Row, Runner,
    measure::ROUND_TRIPS,
    program::{self, Group},
    row,
};
use resilient_database_benches::{change, read};
use resilient_sea_orm::{CommitMode, ResilientConnection, TransactOptions, resilient};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr,
    IsolationLevel, TransactionTrait,
};
use support::{Engine, Flight, Proxy, TestDb, wait_until};

const GROUP: Group = Group {
    name: ROUND_TRIPS,
    rows,
};

const ENGINES: [(Engine, &str); 2] = [
    (Engine::Postgres, row::TRIPS_POSTGRES),
    (Engine::MariaDb, row::TRIPS_MARIADB),
];

/// The calls, and what each is compared with.
const CALLS: [(&str, &str); 14] = [
    ("sea-orm", "sea-orm"),
    ("resilient", "sea-orm"),
    ("resilient-verified", "sea-orm"),
    ("sea-orm-isolation", "sea-orm-isolation"),
    ("resilient-isolation", "sea-orm-isolation"),
    ("sea-orm-read-only", "sea-orm-read-only"),
    ("resilient-read-only", "sea-orm-read-only"),
    ("sea-orm-savepoint", "sea-orm-savepoint"),
    ("resilient-savepoint", "sea-orm-savepoint"),
    ("resilient-joined", "sea-orm"),
    ("resilient-nothing-nested", "sea-orm"),
    ("resilient-nothing", "resilient-nothing"),
    ("sea-orm-one-read", "sea-orm-one-read"),
    ("resilient-one-read", "sea-orm-one-read"),
];

/// How long connections may take to go back to their pools.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result {
    program::run(&[], &[GROUP], None)
}

fn rows() -> Result<Vec<Row>> {
    let mut rows = CALLS.map(|(name, beside)| {
        let mut row = Row::new(GROUP.name, name).beside(beside);
        row.kept = name.starts_with("resilient");
        row
    });
    let runner = Runner::waiting()?;
    for (engine, column) in ENGINES {
        let trips = runner.block_on(Box::pin(on(engine)))?;
        for (row, trips) in rows.iter_mut().zip(trips) {
            row.figures.insert(column.to_owned(), trips);
        }
    }
    Ok(rows.into())
}

async fn on(engine: Engine) -> Result<Vec<f64>> {
    let stand = Stand::open(engine).await?;
    let mut all = Vec::new();
    for (name, _) in CALLS {
        all.push(stand.trips(name).await?);
    }
    Ok(all)
}

/// A connection of each kind to one database, behind a proxy.
struct Stand {
    hand: DatabaseConnection,
    accounts: Accounts,
    proxy: Proxy,
    /// Kept for as long as it is called.
    database: TestDb,
}

impl Stand {
    async fn open(engine: Engine) -> Result<Self> {
        let database = TestDb::new(engine).await?;
        for sql in [
            "CREATE TABLE account (id INTEGER PRIMARY KEY, cents BIGINT NOT NULL)",
            "INSERT INTO account VALUES (1, 0)",
        ] {
            database.admin().execute_unprepared(sql).await?;
        }
        let proxy = Proxy::before(&database).await?;
        let mut options = ConnectOptions::new(proxy.url());
        options
            .min_connections(1)
            .max_connections(1)
            .sqlx_logging(false);
        let hand = Database::connect(options.clone()).await?;
        let builder = ResilientConnection::builder(options);
        let db = builder.commit(CommitMode::Reported).connect().await?;
        db.ensure_marker_table().await?;
        Ok(Self {
            hand,
            accounts: Accounts { db },
            proxy,
            database,
        })
    }

    /// Statements are prepared when a connection sees them for the first time, which costs a round
    /// trip of its own: a call is made twice before it is counted.
    async fn trips(&self, name: &str) -> Result<f64> {
        for _ in 0..2 {
            self.call(name).await?;
        }
        self.quiet().await?;
        self.proxy.record();
        self.call(name).await?;
        self.quiet().await?;
        let flights = self.proxy.flights();
        let of_call = flights.iter().filter(|flight| !apart(flight)).count();
        Ok(f64::from(u32::try_from(of_call)?))
    }

    /// Waits until the connections are back in their pools, and their pings answered.
    async fn quiet(&self) -> Result {
        let idle = async || {
            let hand = match self.database.engine() {
                Engine::Postgres => self.hand.get_postgres_connection_pool().num_idle(),
                _ => self.hand.get_mysql_connection_pool().num_idle(),
            };
            Ok(self.accounts.db.pool_status().in_use == 0 && hand == 1)
        };
        Ok(wait_until("idle connections", PATIENCE, idle).await?)
    }

    async fn call(&self, name: &str) -> Result {
        let (hand, accounts) = (&self.hand, &self.accounts);
        let strict = Some(IsolationLevel::Serializable);
        let transact = || TransactOptions::new();
        match name {
            "sea-orm" => by_hand(hand, None, None).await?,
            "sea-orm-isolation" => by_hand(hand, strict, None).await?,
            "sea-orm-read-only" => {
                let access = Some(AccessMode::ReadOnly);
                let begun = hand.begin_with_config(strict, access).await?;
                read(&begun).await?;
                begun.commit().await?;
            }
            "sea-orm-savepoint" => {
                let outer = hand.begin().await?;
                let inner = outer.begin().await?;
                change(&inner).await?;
                inner.commit().await?;
                outer.commit().await?;
            }
            "sea-orm-one-read" => read(hand).await.map(drop)?,
            "resilient" => accounts.change().await?,
            "resilient-verified" => accounts.change_verified().await?,
            "resilient-isolation" => accounts.change_isolated().await?,
            "resilient-read-only" => accounts.look().await?,
            "resilient-savepoint" => {
                let nested = || accounts.change();
                accounts.db.transact(transact(), nested).await?;
            }
            "resilient-joined" => {
                let joined = || accounts.change_joined();
                accounts.db.transact(transact(), joined).await?;
            }
            "resilient-nothing-nested" => accounts.change_and_nothing().await?,
            "resilient-nothing" => accounts.nothing().await?,
            "resilient-one-read" => accounts.peek().await?,
            _ => return Err(format!("no call {name}").into()),
        }
        Ok(())
    }
}

/// What a pool asks when it takes a connection back, and the deletion of old markers, once a minute.
fn apart(flight: &Flight) -> bool {
    let mut statements = flight.statements.iter();
    flight.is_ping() || statements.any(|sql| sql.starts_with("DELETE"))
}

async fn by_hand(
    hand: &DatabaseConnection,
    isolation: Option<IsolationLevel>,
    access: Option<AccessMode>,
) -> std::result::Result<(), DbErr> {
    let begun = hand.begin_with_config(isolation, access).await?;
    change(&begun).await?;
    begun.commit().await
}

struct Accounts {
    db: ResilientConnection,
}

#[resilient]
impl Accounts {
    pub(crate) async fn change(&self) -> resilient_sea_orm::Result<()> {
        Ok(change(&self.db).await.map(drop)?)
    }

    #[resilient(commit = "verified")]
    pub(crate) async fn change_verified(&self) -> resilient_sea_orm::Result<()> {
        Ok(change(&self.db).await.map(drop)?)
    }

    #[resilient(isolation = "serializable")]
    pub(crate) async fn change_isolated(&self) -> resilient_sea_orm::Result<()> {
        Ok(change(&self.db).await.map(drop)?)
    }

    #[resilient(isolation = "serializable", read_only)]
    pub(crate) async fn look(&self) -> resilient_sea_orm::Result<()> {
        Ok(read(&self.db).await.map(drop)?)
    }

    #[resilient(propagation = "required")]
    pub(crate) async fn change_joined(&self) -> resilient_sea_orm::Result<()> {
        Ok(change(&self.db).await.map(drop)?)
    }

    pub(crate) async fn change_and_nothing(&self) -> resilient_sea_orm::Result<()> {
        change(&self.db).await?;
        self.nothing().await
    }

    pub(crate) async fn nothing(&self) -> resilient_sea_orm::Result<()> {
        Ok(())
    }

    #[resilient(propagation = "supports")]
    pub(crate) async fn peek(&self) -> resilient_sea_orm::Result<()> {
        Ok(read(&self.db).await.map(drop)?)
    }
}
