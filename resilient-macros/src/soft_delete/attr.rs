//! The syntax of `#[soft_delete]`: attributes in, [`Declared`] with spans out.

use proc_macro2::Ident;
use syn::{Attribute, LitStr, Meta, Path};

use crate::attr::Read;
use crate::constraint::text;
use crate::ctxt::Ctxt;
use crate::entity::{Entity, Nature};
use crate::entries::{self, Entry, Form};
use crate::words;

/// What the attributes of one entity say.
#[derive(Default)]
pub(super) struct Declared<'a> {
    /// The marks, each with the position of its field. Those on relations are not the columns'.
    pub(super) marks: Vec<(usize, &'a Attribute)>,
    pub(super) database: Option<LitStr>,
    pub(super) krate: Option<Path>,
}

/// Reads the attributes of the struct, then those of its fields.
pub(super) fn read<'a>(ctxt: &Ctxt, entity: &'a Entity) -> Declared<'a> {
    let mut declared = Declared::default();
    let mut seen: Vec<Ident> = Vec::new();
    for attr in &entity.attrs {
        let Some(tokens) = entries::arguments(attr) else {
            ctxt.error_on(
                attr,
                "`#[soft_delete]` goes on the field of the column that says when a row was deleted",
            );
            continue;
        };
        for Entry { key, form } in entries::read(ctxt, tokens, "database = \"audit\"") {
            entity_key(ctxt, &mut declared, &mut seen, key, &form);
        }
    }
    for (position, field) in entity.fields.iter().enumerate() {
        for attr in &field.attrs {
            if let Nature::Relation(_) = field.nature {
                continue;
            }
            if !matches!(attr.meta, Meta::Path(_)) {
                alone(ctxt, attr);
            }
            declared.marks.push((position, attr));
        }
    }
    declared
}

/// `database` or `crate`.
fn entity_key(
    ctxt: &Ctxt,
    declared: &mut Declared<'_>,
    seen: &mut Vec<Ident>,
    key: Ident,
    form: &Form,
) {
    let word = key.to_string();
    if !words::SOFT_DELETE_KEYS.contains(&word.as_str()) {
        let message = words::unknown("key", &word, words::SOFT_DELETE_KEYS, '`');
        return ctxt.error(key.span(), message);
    }
    if seen.contains(&key) {
        return ctxt.duplicate(&key);
    }
    let value = form.value();
    match form {
        Form::Broken => {}
        _ if word == "crate" => {
            let key = &key;
            declared.krate = Read { ctxt, key, value }.path("::resilient_sea_orm");
        }
        _ => declared.database = text(ctxt, &key, value),
    }
    seen.push(key);
}

/// What to say about a mark with something behind it.
fn alone(ctxt: &Ctxt, attr: &Attribute) {
    let Some(tokens) = entries::arguments(attr) else {
        return ctxt.error_on(attr, "on a field it stands alone: `#[soft_delete]`");
    };
    for Entry { key, .. } in entries::read(ctxt, tokens, "database = \"audit\"") {
        let message = if words::SOFT_DELETE_KEYS.iter().any(|known| key == known) {
            format!(
                "`{key}` is about the whole entity, put `#[soft_delete({key} = ...)]` on the struct"
            )
        } else {
            "on a field it stands alone: `#[soft_delete]`".to_owned()
        };
        ctxt.error(key.span(), message);
    }
}
