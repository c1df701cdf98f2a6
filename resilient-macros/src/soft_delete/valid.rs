//! Rules over the marked field. Reports only; changes nothing.

use syn::{GenericArgument, PathArguments, PathSegment, Type};

use super::attr::Declared;
use crate::ctxt::Ctxt;
use crate::entity::{Entity, Field, Nature};
use crate::words;

/// No mark stands on a relation. Of a dense entity only the struct that `#[sea_orm::model]` adds
/// has any.
pub(super) fn check_relations(ctxt: &Ctxt, entity: &Entity) {
    for field in &entity.fields {
        if let Nature::Relation(_) = field.nature {
            for attr in &field.attrs {
                let name = field.name();
                ctxt.error_on(
                    attr,
                    format!(
                        "`{name}` is a relation, not a column: put `#[soft_delete]` on a column"
                    ),
                );
            }
        }
    }
}

/// The column that is marked, if all is well with it.
pub(super) fn column<'a>(
    ctxt: &Ctxt,
    entity: &'a Entity,
    declared: &Declared<'_>,
) -> Option<&'a Field> {
    let Some(((position, _), others)) = declared.marks.split_first() else {
        nothing_marked(ctxt, entity);
        return None;
    };
    let field = entity.fields.get(*position)?;
    for (other, attr) in others {
        let message = if other == position {
            "`#[soft_delete]` is given more than once, keep one of them".to_owned()
        } else {
            format!(
                "only one column says that a row is deleted, and `{}` is marked already: remove \
                 one `#[soft_delete]`",
                field.name()
            )
        };
        ctxt.error_on(attr, message);
    }
    for (position, attr) in &declared.marks {
        if let Some(field) = entity.fields.get(*position)
            && let Nature::Ignored = field.nature
        {
            let name = field.name();
            let message = format!(
                "`{name}` is `#[sea_orm(ignore)]`, not a column: remove one of the two attributes"
            );
            ctxt.error_on(attr, message);
        }
    }
    check_type(ctxt, field);
    Some(field)
}

fn nothing_marked(ctxt: &Ctxt, entity: &Entity) {
    // Relations were reported.
    if entity.fields.iter().any(|field| !field.attrs.is_empty()) {
        return;
    }
    // In a dense entity a mark on a relation is on the other struct, which reports it; this one
    // then says what is missing.
    let columns = entity
        .fields
        .iter()
        .filter(|field| field.variant().is_some());
    let names: Vec<String> = columns.map(Field::name).collect();
    let likely = words::SOFT_DELETE_NAMES
        .iter()
        .find(|name| names.iter().any(|column| column == *name))
        .copied()
        .or_else(|| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            words::nearest("deleted_at", &names)
        });
    let advice = match likely {
        Some(name) => format!("put `#[soft_delete]` on `{name}`"),
        None => "put `#[soft_delete]` on the column that says when a row was deleted".to_owned(),
    };
    ctxt.error(
        entity.ident.span(),
        format!("no column is marked as the one that says that a row is deleted: {advice}"),
    );
}

/// As far as the names of types tell. Types of the user's are what their columns are.
fn check_type(ctxt: &Ctxt, field: &Field) {
    let Some(segment) = last(&field.ty) else {
        return;
    };
    let (inner, optional) = match inside(segment) {
        Some(ty) => (last(ty), true),
        None => (Some(segment), false),
    };
    let Some(inner) = inner else { return };
    let named = |all: &[&str]| all.iter().any(|name| inner.ident == name);
    if named(words::UNFIT_TYPES) {
        ctxt.error_on(
            &field.ty,
            format!(
                "`{}` does not say that a row is deleted\nexpected a time in an `Option`, a \
                 `bool` or an integer",
                inner.ident
            ),
        );
    } else if named(words::TIME_TYPES) && !optional {
        ctxt.error_on(
            &field.ty,
            format!(
                "with a time in each row, every row is deleted: make it `Option<{}>`",
                inner.ident
            ),
        );
    }
}

/// The last part of the type's path.
fn last(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last(&group.elem),
        _ => None,
    }
}

/// The type in an `Option`.
fn inside(segment: &PathSegment) -> Option<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) if segment.ident == "Option" => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
        }
        _ => None,
    }
}
