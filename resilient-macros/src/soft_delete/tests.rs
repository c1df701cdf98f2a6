//! Unit tests of the derive's rules, without a compiler.

use super::*;

/// Expects as many messages as there are beginnings, in this order.
fn expect(item: &str, beginnings: &[&str]) {
    let ctxt = Ctxt::new();
    understand(&ctxt, item.parse().expect("tokens"));
    let found = ctxt.into_messages();
    assert_eq!(found.len(), beginnings.len(), "{item}: {found:?}");
    for (found, beginning) in found.iter().zip(beginnings) {
        assert!(found.starts_with(beginning), "{item}: {found}");
    }
}

#[test]
fn accepts_what_says_that_a_row_is_deleted() {
    for ty in [
        "Option<DateTimeUtc>",
        "Option<chrono::NaiveDateTime>",
        "bool",
        "i64",
        "Option<i32>",
        "MyTime",
    ] {
        expect(
            &format!("struct Model {{ id: i32, #[soft_delete] gone: {ty} }}"),
            &[],
        );
    }
    expect(
        "#[soft_delete(database = \"a\", crate = a::b)] struct Model { #[soft_delete] gone: bool }",
        &[],
    );
}

#[test]
fn refuses_other_types() {
    for (ty, message) in [
        ("String", "`String` does not say"),
        ("Option<Uuid>", "`Uuid` does not say"),
        ("DateTimeUtc", "with a time in each row"),
        ("chrono::DateTime<Utc>", "with a time in each row"),
    ] {
        expect(
            &format!("struct Model {{ #[soft_delete] gone: {ty} }}"),
            &[message],
        );
    }
}

#[test]
fn wants_one_column() {
    expect(
        "struct Model { id: i32, deleted_at: Option<DateTimeUtc> }",
        &[
            "no column is marked as the one that says that a row is deleted: put \
           `#[soft_delete]` on `deleted_at`",
        ],
    );
    expect(
        "struct Model { id: i32 }",
        &[
            "no column is marked as the one that says that a row is deleted: put \
           `#[soft_delete]` on the column",
        ],
    );
    expect(
        "struct Model { #[soft_delete] a: bool, #[soft_delete] b: bool }",
        &["only one column says that a row is deleted, and `a`"],
    );
    expect(
        "struct Model { #[soft_delete] #[soft_delete] a: bool }",
        &["`#[soft_delete]` is given more than once"],
    );
    expect(
        "struct Model { #[soft_delete] #[sea_orm(ignore)] a: bool }",
        &["`a` is `#[sea_orm(ignore)]`"],
    );
    expect(
        "struct Model { #[soft_delete] a: HasMany<super::b::Entity> }",
        &["`a` is a relation"],
    );
}

#[test]
fn everything_in_its_place() {
    expect(
        "#[soft_delete] struct Model { #[soft_delete] a: bool }",
        &["`#[soft_delete]` goes on the field"],
    );
    expect(
        "#[soft_delete(databse = \"a\")] struct Model { #[soft_delete] a: bool }",
        &["unknown key `databse`, did you mean `database`?"],
    );
    expect(
        "#[soft_delete(database = 1, database = \"a\")] struct Model { #[soft_delete] a: bool }",
        &[
            "`database` takes a text in quotes",
            "`database` is given more than once",
        ],
    );
    expect(
        "struct Model { #[soft_delete(database = \"a\")] a: bool }",
        &["`database` is about the whole entity"],
    );
    expect(
        "struct Model { #[soft_delete(when)] a: bool }",
        &["on a field it stands alone"],
    );
    expect("enum Kind { A }", &["`#[derive(SoftDelete)]` goes on"]);
    expect("struct ModelEx { #[soft_delete] a: bool }", &[]);
}
