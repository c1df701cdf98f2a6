//! `#[derive(ConstraintMessages)]`: what an entity says about the constraints of its table.
//!
//! `crate::entity` reads the struct as SeaORM does, `attr` the syntax of `#[constraint(...)]`, `valid`
//! checks both, `expand` emits one registration.

mod attr;
mod expand;
mod text;
mod valid;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

pub(crate) use self::attr::text;

use crate::ctxt::Ctxt;
use crate::entity::Entity;

/// The registration, or every error. The struct itself is not the derive's to repeat.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let ctxt = Ctxt::new();
    let expansion = understand(&ctxt, input);
    match ctxt.finish() {
        Ok(()) => expansion.unwrap_or_default(),
        Err(errors) => errors,
    }
}

/// The registration, to be used only if nothing was reported.
fn understand(ctxt: &Ctxt, input: TokenStream) -> Option<TokenStream> {
    let entity = Entity::parse(ctxt, input, "ConstraintMessages", "constraint")?;
    valid::check_relations(ctxt, &entity);
    if entity.is_extended() {
        // `#[sea_orm::model]` copied everything but the relations from `Model`, which registers
        // and has its own derive to report what is wrong.
        return None;
    }
    let declared = attr::read(ctxt, &entity);
    valid::check(ctxt, &entity, &declared);
    Some(expand::registration(&entity, &declared))
}
