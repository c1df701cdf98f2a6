//! One place that collects every error of an item, so that all are reported at once.

use std::cell::RefCell;
use std::thread;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

/// Collects errors; must be read with [`Ctxt::finish`].
pub(crate) struct Ctxt {
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Ctxt {
    pub(crate) fn new() -> Self {
        Self {
            errors: RefCell::new(Some(Vec::new())),
        }
    }

    /// An error at one span.
    pub(crate) fn error(&self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// An error that underlines all of `tokens`.
    pub(crate) fn error_on(&self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// A key that was given before.
    pub(crate) fn duplicate(&self, key: &Ident) {
        self.error(
            key.span(),
            format!("`{key}` is given more than once, keep one of them"),
        );
    }

    /// An error that a parser produced.
    pub(crate) fn push(&self, error: syn::Error) {
        if let Some(errors) = self.errors.borrow_mut().as_mut() {
            errors.push(error);
        }
    }

    /// Ends the collection: nothing, or the `compile_error!` calls for every error, in order.
    pub(crate) fn finish(self) -> Result<(), TokenStream> {
        let errors = self.errors.borrow_mut().take().unwrap_or_default();
        if errors.is_empty() {
            return Ok(());
        }
        Err(errors.iter().map(syn::Error::to_compile_error).collect())
    }

    /// The messages so far, for tests.
    #[cfg(test)]
    pub(crate) fn into_messages(self) -> Vec<String> {
        let errors = self.errors.borrow_mut().take().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect()
    }
}

impl Drop for Ctxt {
    fn drop(&mut self) {
        assert!(
            thread::panicking() || self.errors.borrow().is_none(),
            "the errors of an item were collected and never read"
        );
    }
}
