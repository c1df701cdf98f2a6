//! Unit tests of the derive's rules, without a compiler.

use super::*;

/// The first lines of the messages for an item.
fn errors(item: &str) -> Vec<String> {
    let ctxt = Ctxt::new();
    understand(&ctxt, item.parse().expect("tokens"));
    ctxt.into_messages()
        .iter()
        .map(|message| message.lines().next().unwrap_or_default().to_owned())
        .collect()
}

/// Expects as many messages as there are beginnings, in this order.
fn expect(item: &str, beginnings: &[&str]) {
    let found = errors(item);
    assert_eq!(found.len(), beginnings.len(), "{item}: {found:?}");
    for (found, beginning) in found.iter().zip(beginnings) {
        assert!(found.starts_with(beginning), "{item}: {found}");
    }
}

/// A struct with this on it.
fn on_struct(attribute: &str) -> String {
    format!(
        "#[constraint({attribute})] struct Model {{
            tenant_id: i32, handle: String,
            #[sea_orm(column_name = \"mail\")] email: String,
            #[sea_orm(ignore)] computed: i32,
        }}"
    )
}

/// A struct with this on its field `email`.
fn on_field(attribute: &str) -> String {
    format!("struct Model {{ tenant_id: i32, #[constraint({attribute})] email: String }}")
}

#[test]
fn accepts_every_kind_in_its_places() {
    for kind in crate::words::CONSTRAINT_KINDS {
        expect(&on_field(kind), &[]);
        expect(&on_field(&format!("{kind}(),")), &[]);
        expect(
            &on_field(&format!("{kind}(message = \"m\", name = \"n\",)")),
            &[],
        );
        if *kind != "not_null" {
            expect(
                &on_struct(&format!("{kind}(columns(tenant_id, handle,))")),
                &[],
            );
            expect(
                &on_struct(&format!("{kind}(name = \"n\", expose_values)")),
                &[],
            );
        }
    }
    for attribute in [
        "restrict",
        "restrict(by = \"orders\"), restrict(by = \"users\"), restrict",
        "restrict(name = \"a\"), restrict",
        "database = \"audit\", crate = robust",
        "check(name = \"a\", columns(handle)), check(name = \"b\", columns(handle))",
        "unique(columns(handle)), unique(columns(handle, tenant_id)), foreign_key(columns(handle))",
        "check(name = \"n\", message = \"{{{table}}} {column} {columns} {constraint} {referenced_table}\")",
        "check(name = \"n\", message = \"{value}\", expose_values, code = \"a.b:c-d_1\")",
    ] {
        expect(&on_struct(attribute), &[]);
    }
}

#[test]
fn refuses_what_does_not_belong_there() {
    for (attribute, message) in [
        ("unique", "`unique` on a struct needs `columns(...)`"),
        (
            "foreign_key(message = \"m\")",
            "`foreign_key` on a struct needs",
        ),
        ("check(message = \"m\")", "`check` on a struct needs `name"),
        ("exclusion", "`exclusion` on a struct needs `name"),
        ("not_null(columns(email))", "`not_null` is about one column"),
        (
            "unique(columns(handle), by = \"t\")",
            "`by` names the table",
        ),
        (
            "unique(columns(handle), database = \"t\")",
            "`database` is about the whole",
        ),
        ("message = \"m\"", "`message` belongs to one constraint"),
        ("primary_key(columns(handle))", "a primary key is `unique`"),
        (
            "uniqe(columns(handle))",
            "unknown constraint `uniqe`, did you mean `unique`?",
        ),
        (
            "databse = \"a\"",
            "unknown constraint `databse`, did you mean `database`?",
        ),
        (
            "database = \"a\", database = \"b\"",
            "`database` is given more than once",
        ),
        ("database = audit", "`database` takes a text in quotes"),
        ("crate = \"robust\"", "`crate` takes a path"),
        ("unique = \"x\"", "`unique` takes no value"),
    ] {
        expect(&on_struct(attribute), &[message]);
    }
    for (attribute, message) in [
        ("unique(columns(email))", "`columns` does not go on a field"),
        ("database = \"a\"", "`database` is about the whole entity"),
        ("crate = robust", "`crate` is about the whole entity"),
        ("not_null(expose_values)", "`expose_values` has no effect"),
        (
            "not_null(message = \"{value}\")",
            "`{value}` shows nothing here",
        ),
        (
            "unqiue",
            "unknown constraint `unqiue`, did you mean `unique`?",
        ),
        ("", "say which constraint"),
        ("\"unique\"", "expected a word"),
    ] {
        expect(&on_field(attribute), &[message]);
    }
}

#[test]
fn refuses_keys_and_values() {
    for (arguments, message) in [
        (
            "mesage = \"m\"",
            "unknown key of `unique` `mesage`, did you mean `message`?",
        ),
        ("deferrable", "unknown key of `unique` `deferrable`"),
        (
            "message = \"m\", message = \"n\"",
            "`message` is given more than once",
        ),
        ("message = \" \"", "`message` is empty"),
        ("code = \"\"", "`code` is empty"),
        ("suggestion = \"\"", "`suggestion` is empty"),
        ("name = \"\"", "`name` is empty"),
        ("message", "`message` takes a text"),
        ("message(\"m\")", "`message` takes a text"),
        ("message = m", "`message` takes a text"),
        ("message =", "`message` has no value"),
        (
            "message = \"m\" code = \"c\"",
            "expected `,` after `message`",
        ),
        ("code = \"e-mail taken\"", "`code` is for programs"),
        ("expose_values = true", "`expose_values` stands alone"),
        (
            "message = \"{colum}\"",
            "unknown placeholder `colum`, did you mean `column`?",
        ),
        ("message = \"{}\"", "unknown placeholder ``"),
        ("suggestion = \"{column\"", "`{` is not closed"),
        ("suggestion = \"{column {table}\"", "`{` is not closed"),
        ("suggestion = \"column}\"", "`}` closes no placeholder"),
        ("message = \"{value}\"", "`{value}` shows data of users"),
    ] {
        expect(&on_field(&format!("unique({arguments})")), &[message]);
    }
}

#[test]
fn refuses_columns() {
    for (columns, messages) in [
        (
            "(handel)",
            &["unknown column `handel`, did you mean `handle`?"][..],
        ),
        (
            "(mail)",
            &["`columns` takes names of fields, `mail` is that of `email`"],
        ),
        ("(computed)", &["`computed` is `#[sea_orm(ignore)]`"]),
        ("(handle, handle)", &["`handle` is listed more than once"]),
        ("(\"handle\")", &["`columns` takes names of fields"]),
        ("()", &["`columns` takes names of fields"]),
        (" = handle", &["`columns` takes names of fields"]),
        ("", &["`columns` takes names of fields"]),
        ("(a, b)", &["unknown column `a`", "unknown column `b`"]),
    ] {
        expect(&on_struct(&format!("unique(columns{columns})")), messages);
    }
}

#[test]
fn refuses_a_constraint_that_is_mapped_twice() {
    for (attribute, message) in [
        (
            "unique(columns(handle, tenant_id)), unique(columns(tenant_id, handle))",
            "`unique` on `handle`, `tenant_id` is mapped more than once",
        ),
        (
            "check(name = \"n\"), check(name = \"n\", columns(handle))",
            "`check` \"n\" is mapped more than once",
        ),
        (
            "unique(columns(handle)), unique(columns(handle), name = \"n\")",
            "`unique` on `handle` is mapped more than once",
        ),
        ("restrict, restrict", "`restrict` of this table is mapped"),
        (
            "restrict(by = \"t\"), restrict(by = \"t\")",
            "`restrict` by \"t\" is mapped",
        ),
    ] {
        expect(&on_struct(attribute), &[message]);
    }
    expect(
        "#[constraint(unique(columns(email)))] struct Model { #[constraint(unique)] email: String }",
        &["`unique` on `email` is mapped more than once"],
    );
}

#[test]
fn refuses_other_items() {
    for (item, message) in [
        (
            "enum Model { A }",
            "`#[derive(ConstraintMessages)]` goes on",
        ),
        (
            "union Model { a: u8 }",
            "`#[derive(ConstraintMessages)]` goes on",
        ),
        (
            "struct Model(i32);",
            "`#[derive(ConstraintMessages)]` needs named",
        ),
        (
            "struct Model;",
            "`#[derive(ConstraintMessages)]` needs named",
        ),
        (
            "struct User { id: i32 }",
            "`#[derive(ConstraintMessages)]` goes on",
        ),
        (
            "struct Model<T> { id: T }",
            "an entity's `Model` has no generics",
        ),
        (
            "struct Model { #[sea_orm(ignore)] #[constraint(unique)] id: i32 }",
            "`id` is `#[sea_orm(ignore)]`",
        ),
    ] {
        expect(item, &[message]);
    }
}

#[test]
fn the_second_struct_of_a_dense_entity_reports_relations_alone() {
    expect(
        "#[constraint(nothing)] struct ModelEx { #[constraint(nothing)] id: i32 }",
        &[],
    );
    for (from, advice) in [
        (
            "belongs_to, from = \"team_id\", to = \"id\"",
            "put `#[constraint]` on `team_id`",
        ),
        (
            "belongs_to, from = \"Column::TeamId\"",
            "put `#[constraint]` on `team_id`",
        ),
        (
            "from = \"(TenantId, Kind)\"",
            "put `#[constraint]` on the struct, with `columns(tenant_id, r_type)`",
        ),
        (
            "has_many",
            "a constraint goes on the field with the foreign key",
        ),
    ] {
        let item = format!(
            "struct ModelEx {{
                team_id: i32, tenant_id: i32, #[sea_orm(enum_name = \"Kind\")] r_type: i32,
                #[sea_orm({from})] #[constraint(unique)] team: HasOne<super::team::Entity>,
            }}"
        );
        expect(
            &item,
            &[&format!("`team` is a relation, not a column: {advice}")],
        );
    }
    expect(
        "#[sea_orm(model_ex)] #[constraint(unique(columns(team)))] struct Model { id: i32 }",
        &["unknown column `team`"],
    );
}
