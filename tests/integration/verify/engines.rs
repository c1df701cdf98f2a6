//! What only one engine has.

use resilient_sea_orm::constraint::Parent;
use support::{Engine, TestResult, engine_tests};

use super::{Schema, shown};

async fn exclusions(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE booking (id INTEGER PRIMARY KEY, room INTEGER, during int4range, a text,
             CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&),
             EXCLUDE USING btree (room WITH =, lower(a) WITH =) WHERE (room > 1))",
        ],
    )
    .await;
    assert_eq!(
        shown(&schema.table("booking").await),
        [
            "exclusion booking_room_lower_excl (room, a) expression partial",
            "exclusion no_overlap (during)",
            "unique booking_pkey (id) primary",
        ]
    );
    Ok(())
}

async fn partitions(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER NOT NULL, email text, CONSTRAINT t_pk PRIMARY KEY (id),
               CONSTRAINT t_email CHECK (email <> ''), UNIQUE (email, id)) PARTITION BY RANGE (id)",
            "CREATE TABLE t_p1 PARTITION OF t FOR VALUES FROM (0) TO (10) PARTITION BY LIST (id)",
            "CREATE TABLE t_p1_a PARTITION OF t_p1 DEFAULT",
            "CREATE TABLE c (id INTEGER PRIMARY KEY, t_id INTEGER REFERENCES t (id))",
        ],
    )
    .await;
    let whole = Parent {
        schema: Some("public".to_owned()),
        table: "t".to_owned(),
    };
    assert_eq!(schema.table("t").await.partition_of, None);
    for name in ["t_p1", "t_p1_a"] {
        let part = schema.table(name).await;
        assert_eq!(part.partition_of, Some(whole.clone()));
        assert_eq!(
            shown(&part),
            [
                "check t_email (email)".to_owned(),
                format!("unique {name}_email_id_key (email, id)"),
                format!("unique {name}_pkey (id) primary"),
            ]
        );
    }
    // One for each partition of the parent, which errors name.
    let keys = shown(&schema.table("c").await);
    assert_eq!(keys[0], "foreign_key c_t_id_fkey (t_id) -> t (id)");
    assert!(keys.len() > 2, "{keys:?}");
    Ok(())
}

async fn other_schemas(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE SCHEMA crm",
            "CREATE TABLE crm.person (id INTEGER PRIMARY KEY, name text UNIQUE)",
            "CREATE TABLE person (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES crm.person)",
        ],
    )
    .await;
    let catalogue = schema.catalogue().await;
    let other = catalogue.table(Some("crm"), "person").expect("found");
    assert!(!other.visible);
    assert_eq!(
        shown(other),
        [
            "unique person_name_key (name)",
            "unique person_pkey (id) primary"
        ]
    );
    let own = catalogue.table(None, "person").expect("found");
    assert_eq!(own.schema.as_deref(), Some("public"));
    let parent = own
        .constraints
        .iter()
        .find_map(|c| c.references.as_ref())
        .expect("a parent");
    assert_eq!(parent.schema.as_deref(), Some("crm"));
    assert!(
        catalogue
            .tables
            .iter()
            .all(|t| t.schema.as_deref() != Some("pg_catalog"))
    );
    Ok(())
}

async fn keys_of_sqlite(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE p (id INTEGER PRIMARY KEY DESC)",
            "CREATE TABLE n (a text, b int, CONSTRAINT n_pk PRIMARY KEY (b, a))",
            "CREATE TABLE w (a text, b int, PRIMARY KEY (b, a)) WITHOUT ROWID",
            "CREATE TABLE s (a text PRIMARY KEY) STRICT",
            "CREATE TABLE c (id INTEGER CONSTRAINT c_pk PRIMARY KEY AUTOINCREMENT, p REFERENCES p,
               b AS (id + 1) STORED CONSTRAINT b_key UNIQUE)",
        ],
    )
    .await;
    let nullable = async |name: &str| {
        let table = schema.table(name).await;
        let nullable = table.columns.iter().filter(|c| c.nullable);
        nullable.map(|c| c.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(nullable("p").await, ["id"]);
    assert_eq!(nullable("n").await, ["a", "b"]);
    assert_eq!(nullable("w").await, [""; 0]);
    assert_eq!(nullable("s").await, [""; 0]);
    assert_eq!(nullable("c").await, ["p", "b"]);
    assert_eq!(
        shown(&schema.table("n").await),
        ["unique n_pk (b, a) primary"]
    );
    assert_eq!(
        shown(&schema.table("c").await),
        [
            "foreign_key - (p) -> p (id)",
            "unique b_key (b)",
            "unique c_pk (id) primary"
        ]
    );
    Ok(())
}

engine_tests! { on_postgres: exclusions, partitions, other_schemas }
engine_tests! { on_sqlite: keys_of_sqlite }
