//! Rules over one constraint and its place, and over several. Reports only; changes nothing.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;

use super::attr::{Declared, Rule};
use super::text;
use crate::ctxt::Ctxt;
use crate::entity::{Entity, Field, Nature};
use crate::words;

/// No `#[constraint]` stands on a relation. Of a dense entity only the struct that
/// `#[sea_orm::model]` adds has any.
pub(super) fn check_relations(ctxt: &Ctxt, entity: &Entity) {
    for field in &entity.fields {
        let Nature::Relation(from) = &field.nature else {
            continue;
        };
        let columns: Vec<String> = from.iter().map(|variant| column(entity, variant)).collect();
        let advice = match &*columns {
            [] => "a constraint goes on the field with the foreign key, which may be \
                   another entity's"
                .to_owned(),
            [one] => format!("put `#[constraint]` on `{one}`"),
            several => {
                let several = several.join(", ");
                format!("put `#[constraint]` on the struct, with `columns({several})`")
            }
        };
        for attr in &field.attrs {
            let name = field.name();
            ctxt.error_on(
                attr,
                format!("`{name}` is a relation, not a column: {advice}"),
            );
        }
    }
}

/// The field with this variant; without one, what it is likely called.
fn column(entity: &Entity, variant: &str) -> String {
    let mut fields = entity.fields.iter();
    fields
        .find(|field| field.variant().is_some_and(|found| found == variant))
        .map_or_else(|| heck::ToSnakeCase::to_snake_case(variant), Field::name)
}

/// Everything else.
pub(super) fn check(ctxt: &Ctxt, entity: &Entity, declared: &Declared) {
    for field in &entity.fields {
        if let Nature::Ignored = field.nature {
            for attr in &field.attrs {
                let name = field.name();
                let message = format!(
                    "`{name}` is `#[sea_orm(ignore)]`, not a column: remove one of the two attributes"
                );
                ctxt.error_on(attr, message);
            }
        }
    }
    for rule in &declared.rules {
        check_place(ctxt, rule);
        check_columns(ctxt, entity, rule);
        check_texts(ctxt, rule);
    }
    check_twice(ctxt, entity, &declared.rules);
}

/// Every kind and key where it belongs.
fn check_place(ctxt: &Ctxt, rule: &Rule) {
    let kind = rule.kind;
    let columns = rule.key("columns");
    if rule.field.is_some() {
        if let Some(columns) = columns {
            ctxt.error(
                columns.span(),
                "`columns` does not go on a field, which is the column: \
                 remove it, or move this `#[constraint]` to the struct",
            );
        }
    } else {
        let named = rule.key("name").is_some();
        let message = match kind {
            "not_null" => Some(match &*rule.columns {
                [one] => format!("`not_null` is about one column, put it on the field `{one}`"),
                _ => "`not_null` is about one column, put it on its field".to_owned(),
            }),
            "unique" | "foreign_key" if columns.is_none() && !named => Some(format!(
                "`{kind}` on a struct needs `columns(...)` or `name = \"...\"`; \
                 for one column, put it on the field"
            )),
            "check" | "exclusion" if columns.is_none() && !named => Some(format!(
                "`{kind}` on a struct needs `name = \"...\"` or `columns(...)`; \
                 for one column, put it on the field"
            )),
            _ => None,
        };
        if let Some(message) = message {
            ctxt.error(rule.at.span(), message);
        }
    }
    if let Some(by) = rule.key("by").filter(|_| kind != "restrict") {
        ctxt.error(
            by.span(),
            "`by` names the table that still references this one, so it goes with `restrict` only",
        );
    }
    if let Some(key) = rule.key("expose_values").filter(|_| kind == "not_null") {
        ctxt.error(
            key.span(),
            "`expose_values` has no effect here, what violates `not_null` has no value; remove it",
        );
    }
}

/// Every name in `columns(...)` is the field of a column.
fn check_columns(ctxt: &Ctxt, entity: &Entity, rule: &Rule) {
    for name in &rule.columns {
        let message = match entity.field(name).map(|field| &field.nature) {
            Some(Nature::Column(..)) => continue,
            Some(Nature::Ignored) => {
                format!("`{name}` is `#[sea_orm(ignore)]`, not a column: remove it")
            }
            Some(Nature::Relation(_)) => {
                format!("`{name}` is a relation, not a column: name the field with its key")
            }
            None => unknown_column(entity, name),
        };
        ctxt.error(name.span(), message);
    }
}

/// What to say about a name that no field has.
fn unknown_column(entity: &Entity, name: &Ident) -> String {
    let word = name.unraw().to_string();
    for field in &entity.fields {
        if matches!(&field.nature, Nature::Column(_, Some(column)) if *column == word) {
            let field = field.name();
            return format!(
                "`columns` takes names of fields, `{word}` is that of `{field}` in the database: write `{field}`"
            );
        }
    }
    let columns = entity.fields.iter().filter(|f| f.variant().is_some());
    let names: Vec<String> = columns.map(Field::name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = words::unknown("column", &word, &names, '`');
    if entity.dense {
        // The relations are on the other struct, so this may well be one.
        return format!("{message}; a relation is not a column");
    }
    message
}

/// What people and programs will read.
fn check_texts(ctxt: &Ctxt, rule: &Rule) {
    let exposes = rule.key("expose_values").is_some();
    for text in [&rule.message, &rule.suggestion].into_iter().flatten() {
        text::check(ctxt, text, exposes, rule.kind != "not_null");
    }
    if let Some(code) = &rule.code {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-:".contains(c);
        if !code.value().chars().all(fits) {
            ctxt.error(
                code.span(),
                "`code` is for programs: use letters, digits, `_`, `.`, `-` and `:` only, \
                 for example \"email_taken\"",
            );
        }
    }
}

/// No constraint is mapped twice.
fn check_twice(ctxt: &Ctxt, entity: &Entity, rules: &[Rule]) {
    for (position, rule) in rules.iter().enumerate() {
        for earlier in &rules[..position] {
            if rule.kind != earlier.kind {
                continue;
            }
            match (&rule.name, &earlier.name) {
                (Some(name), Some(other)) if name.value() == other.value() => ctxt.error(
                    name.span(),
                    format!(
                        "`{}` {:?} is mapped more than once, keep one of them",
                        rule.kind,
                        name.value()
                    ),
                ),
                // Two constraints of one kind on the same columns, told apart by their names.
                (Some(_), Some(_)) => continue,
                _ if is_same(entity, rule, earlier) => {
                    ctxt.error(rule.at.span(), same(entity, rule));
                }
                _ => continue,
            }
            break;
        }
    }
}

/// Whether two rules of one kind, of which at most one has a name, are about the same constraint.
fn is_same(entity: &Entity, rule: &Rule, earlier: &Rule) -> bool {
    let known = |rule: &Rule| rule.columns.iter().all(|name| entity.field(name).is_some());
    if !(known(rule) && known(earlier)) {
        return false;
    }
    let (columns, others) = (columns(entity, rule), columns(entity, earlier));
    let by = |rule: &Rule| rule.by.as_ref().map(syn::LitStr::value);
    if columns != others || by(rule) != by(earlier) {
        return false;
    }
    // Without columns, a name tells one from the other; without either, only `restrict` is whole.
    let whole = rule.kind == "restrict" && rule.key("columns").or(earlier.key("columns")).is_none();
    !columns.is_empty() || (whole && rule.name.is_none() && earlier.name.is_none())
}

/// What to say about a constraint that has been mapped on the same columns before.
fn same(entity: &Entity, rule: &Rule) -> String {
    let kind = rule.kind;
    let columns = columns(entity, rule);
    let what = match (&rule.by, columns.is_empty()) {
        (Some(by), _) => format!("`{kind}` by {:?}", by.value()),
        (None, true) => format!("`{kind}` of this table"),
        (None, false) => {
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            format!("`{kind}` on {}", words::list(&columns, '`'))
        }
    };
    let names = if rule.kind == "not_null" || columns.is_empty() {
        ""
    } else {
        ", or give both their `name`"
    };
    format!("{what} is mapped more than once, keep one of them{names}")
}

/// The fields that a rule is about, sorted.
fn columns(entity: &Entity, rule: &Rule) -> Vec<String> {
    let mut names: Vec<String> = rule.fields(entity).map(Field::name).collect();
    names.sort();
    names
}
