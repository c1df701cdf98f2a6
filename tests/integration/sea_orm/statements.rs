//! Every kind of statement, in one function that knows SeaORM's traits alone.

use futures_util::TryStreamExt;
use resilient_sea_orm::{Error, TransactOptions};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Unchanged,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, LoaderTrait, ModelTrait,
    PaginatorTrait, QueryFilter, QueryOrder, Set, Statement, StreamTrait, TransactionTrait,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use support::{Engine, TestResult, engine_tests};

use super::{
    Shop, count,
    entities::{author, bakery, cake, post, post_tag, tag},
    new_bakery,
};

/// What a repository may ask of `C`.
trait Everything: ConnectionTrait + StreamTrait + TransactionTrait {}

impl<C: ConnectionTrait + StreamTrait + TransactionTrait> Everything for C {}

/// Leaves 14 rows behind.
async fn everything<C: Everything>(db: &C) -> Result<(), DbErr> {
    writes(db).await?;
    reads(db).await?;
    raw(db).await?;
    nested_saves(db).await
}

/// Leaves three bakeries and three cakes.
async fn writes<C: Everything>(db: &C) -> Result<(), DbErr> {
    let first = new_bakery("first").insert(db).await?;
    assert_eq!((first.id, first.stars), (1, 3));
    let second = new_bakery("second").save(db).await?;
    assert_eq!(second.id, Unchanged(2));
    let mut changed = first.clone().into_active_model();
    changed.stars = Set(5);
    assert_eq!(changed.update(db).await?.stars, 5);
    let third = bakery::Entity::insert(new_bakery("third")).exec(db).await?;
    assert_eq!(third.last_insert_id, 3);
    let fourth = bakery::Entity::insert(new_bakery("fourth"))
        .exec_with_returning(db)
        .await?;
    assert_eq!(fourth.name, "fourth");
    assert_eq!(fourth.clone().delete(db).await?.rows_affected, 1);
    let cakes = ["plain", "lemon", "nut"].map(|name| cake::ActiveModel {
        name: Set(name.to_owned()),
        bakery_id: Set(Some(first.id)),
        ..Default::default()
    });
    cake::Entity::insert_many(cakes).exec(db).await?;
    let moved = cake::Entity::update_many()
        .col_expr(cake::Column::BakeryId, Expr::value(2))
        .filter(cake::Column::Name.eq("nut"))
        .exec(db)
        .await?;
    assert_eq!(moved.rows_affected, 1);
    let conflict = OnConflict::column(bakery::Column::Name)
        .update_column(bakery::Column::Stars)
        .to_owned();
    bakery::Entity::insert(bakery::ActiveModel {
        stars: Set(1),
        ..new_bakery("second")
    })
    .on_conflict(conflict)
    .exec_without_returning(db)
    .await?;
    let second = bakery::Entity::find_by_id(2).one(db).await?;
    assert_eq!(second.map(|bakery| bakery.stars), Some(1));
    let gone = bakery::Entity::delete_many()
        .filter(bakery::Column::Name.eq("nobody"))
        .exec(db)
        .await?;
    assert_eq!(gone.rows_affected, 0);
    let none = new_bakery("x").into_active_model();
    let none = bakery::ActiveModel {
        id: Unchanged(99),
        ..none
    };
    assert!(matches!(
        none.update(db).await,
        Err(DbErr::RecordNotUpdated)
    ));
    Ok(())
}

async fn reads<C: Everything>(db: &C) -> Result<(), DbErr> {
    let all = bakery::Entity::find()
        .order_by_asc(bakery::Column::Id)
        .all(db)
        .await?;
    assert_eq!(all.len(), 3);

    let pages = cake::Entity::find()
        .order_by_asc(cake::Column::Id)
        .paginate(db, 2);
    assert_eq!(pages.num_items_and_pages().await?.number_of_pages, 2);
    assert_eq!(pages.fetch_page(1).await?[0].name, "nut");
    let mut pages = pages.into_stream();
    let mut sizes = Vec::new();
    while let Some(page) = pages.try_next().await? {
        sizes.push(page.len());
    }
    assert_eq!(sizes, [2, 1]);

    let mut cursor = cake::Entity::find().cursor_by(cake::Column::Id);
    cursor.after(1).first(1);
    assert_eq!(cursor.all(db).await?[0].name, "lemon");

    let cakes = all.load_many(cake::Entity, db).await?;
    assert_eq!(cakes.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 0]);
    let bakeries = cakes[0].load_one(bakery::Entity, db).await?;
    assert_eq!(bakeries[0].as_ref(), Some(&all[0]));
    assert_eq!(all[1].find_related(cake::Entity).all(db).await?.len(), 1);

    let pairs = cake::Entity::find()
        .find_also_related(bakery::Entity)
        .order_by_asc(cake::Column::Id)
        .all(db)
        .await?;
    assert_eq!(pairs[2].1.as_ref(), Some(&all[1]));
    let grouped = bakery::Entity::find()
        .find_with_related(cake::Entity)
        .order_by_asc(bakery::Column::Id)
        .all(db)
        .await?;
    assert_eq!(grouped[0].1.len(), 2);

    let mut names = Vec::new();
    {
        let mut rows = cake::Entity::find()
            .order_by_asc(cake::Column::Id)
            .stream(db)
            .await?;
        while let Some(cake) = rows.try_next().await? {
            names.push(cake.name);
        }
    }
    assert_eq!(names, ["plain", "lemon", "nut"]);
    {
        // Left before its end: the connection is used again all the same.
        let mut rows = cake::Entity::find().stream(db).await?;
        assert!(rows.try_next().await?.is_some());
    }
    assert_eq!(count::<cake::Entity>(db).await?, 3);
    Ok(())
}

async fn raw<C: Everything>(db: &C) -> Result<(), DbErr> {
    let backend = ConnectionTrait::get_database_backend(db);
    let question = if backend == sea_orm::DbBackend::Postgres {
        "$1"
    } else {
        "?"
    };
    let sql = format!("SELECT name FROM cake WHERE id = {question}");
    let statement = Statement::from_sql_and_values(backend, sql, [2.into()]);
    let row = db.query_one_raw(statement.clone()).await?;
    let name = row.map(|row| row.try_get_by_index::<String>(0));
    assert_eq!(name, Some(Ok("lemon".to_owned())));
    assert_eq!(db.query_all_raw(statement).await?.len(), 1);
    let none = db.query_one_raw(Statement::from_string(
        backend,
        "SELECT 1 FROM cake WHERE id = 99",
    ));
    assert!(none.await?.is_none());
    let models = bakery::Entity::find()
        .from_raw_sql(Statement::from_string(
            backend,
            "SELECT id, name, stars FROM bakery WHERE id = 1",
        ))
        .all(db)
        .await?;
    assert_eq!(models.len(), 1);
    let update = Query::update()
        .table(bakery::Entity)
        .value(
            bakery::Column::Stars,
            Expr::col(bakery::Column::Stars).add(0),
        )
        .and_where(bakery::Column::Id.eq(1))
        .to_owned();
    db.execute(&update).await?;
    db.execute_unprepared("UPDATE cake SET name = 'Plain' WHERE id = 1")
        .await?;
    if db.support_returning() {
        let returned = cake::Entity::update_many()
            .col_expr(cake::Column::Name, Expr::value("plain"))
            .filter(cake::Column::Id.eq(1))
            .exec_with_returning(db)
            .await?;
        assert_eq!(returned[0].name, "plain");
    }
    Ok(())
}

/// Leaves two authors, two posts, two tags and two links: one author replaced its first post.
async fn nested_saves<C: Everything>(db: &C) -> Result<(), DbErr> {
    let ada = author::ActiveModel::builder()
        .set_name("Ada")
        .add_post(post::ActiveModel::builder().set_title("one"))
        .add_post(post::ActiveModel::builder().set_title("two"))
        .save(db)
        .await?;
    assert_eq!(ada.id, Unchanged(1));
    assert_eq!(count::<post::Entity>(db).await?, 2);

    let mut ada = ada;
    ada.posts
        .replace_all([post::ActiveModel::builder().set_title("three")]);
    ada.save(db).await?;
    assert_eq!(count::<post::Entity>(db).await?, 1);

    let post = post::ActiveModel::builder()
        .set_title("four")
        .set_author(author::ActiveModel::builder().set_name("Bob"))
        .add_tag(tag::ActiveModel::builder().set_name("day"))
        .add_tag(tag::ActiveModel::builder().set_name("night"))
        .save(db)
        .await?;
    assert_eq!(post.author_id, Unchanged(2));
    let loaded = post::Entity::load()
        .filter(post::Column::Title.eq("four"))
        .with(author::Entity)
        .with(tag::Entity)
        .one(db)
        .await?
        .ok_or(DbErr::RecordNotFound(String::new()))?;
    assert_eq!(loaded.tags.len(), 2);
    assert_eq!(count::<post_tag::Entity>(db).await?, 2);
    Ok(())
}

async fn works_outside_of_a_scope(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    everything(&shop.db).await?;
    assert_eq!(shop.rows().await?, 14);
    Ok(())
}

async fn works_inside_of_a_scope(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let db = &shop.db;
    db.transact(TransactOptions::new(), || async {
        everything(db).await.map_err(Error::from)
    })
    .await?;
    assert_eq!(shop.rows().await?, 14);
    let metrics = shop.metrics();
    assert_eq!((metrics.begun, metrics.committed), (1, 1));
    Ok(())
}

async fn leaves_nothing_when_the_scope_fails(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let db = &shop.db;
    let result = db
        .transact(TransactOptions::new(), || async {
            everything(db).await?;
            Err::<(), _>(Error::custom("changed my mind"))
        })
        .await;
    let message = result.unwrap_err().to_string();
    assert!(message.starts_with("changed my mind; "), "{message}");
    assert_eq!(shop.rows().await?, 0);
    Ok(())
}

async fn works_through_a_transaction_handle(engine: Engine) -> TestResult {
    let shop = Shop::open(engine).await?;
    let transaction = shop.db.begin().await?;
    everything(&transaction).await?;
    if engine != Engine::Sqlite {
        assert_eq!(shop.rows().await?, 0);
    }
    transaction.commit().await?;
    assert_eq!(shop.rows().await?, 14);
    assert_eq!(shop.metrics().begun, 1);
    Ok(())
}

engine_tests! {
    works_outside_of_a_scope,
    works_inside_of_a_scope,
    leaves_nothing_when_the_scope_fails,
    works_through_a_transaction_handle,
}
