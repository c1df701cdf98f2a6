//! Lists of `key`, `key = value` and `key(...)`, read to their end whatever is wrong in between.

use proc_macro2::{Group, Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Token, token};

use crate::attr::{equals, skip_entry};
use crate::ctxt::Ctxt;

/// One element of a list.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) form: Form,
}

/// What stands behind the key.
pub(crate) enum Form {
    /// Nothing.
    Bare,
    /// `= value`.
    Value(Expr),
    /// `(...)`.
    List(Group),
    /// Something that was reported already.
    Broken,
}

impl Form {
    /// The value behind `=`.
    pub(crate) fn value(&self) -> Option<&Expr> {
        match self {
            Self::Value(value) => Some(value),
            Self::Bare | Self::List(_) | Self::Broken => None,
        }
    }
}

/// The elements, in order. `example` is one, for errors.
pub(crate) fn read(ctxt: &Ctxt, tokens: TokenStream, example: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let all = |input: ParseStream<'_>| {
        while !input.is_empty() {
            entries.extend(entry(ctxt, input, example));
            skip_entry(input);
        }
        Ok(())
    };
    if let Err(error) = all.parse2(tokens) {
        ctxt.push(error);
    }
    entries
}

/// One element; what is left of it is skipped by the caller.
fn entry(ctxt: &Ctxt, input: ParseStream<'_>, example: &str) -> Option<Entry> {
    let Ok(key) = input.call(Ident::parse_any) else {
        let message = format!("expected a word, for example `{example}`");
        ctxt.error(input.span(), message);
        return None;
    };
    let form = if input.peek(Token![=]) {
        match equals(input, &key) {
            Ok(value) => Form::Value(value),
            Err(error) => {
                ctxt.push(error);
                return Some(Entry {
                    key,
                    form: Form::Broken,
                });
            }
        }
    } else if input.peek(token::Paren) {
        input.parse().map_or(Form::Broken, Form::List)
    } else {
        Form::Bare
    };
    if !input.is_empty() && !input.peek(Token![,]) {
        let span = input.span();
        ctxt.error(span, format!("expected `,` after `{key}`"));
    }
    Some(Entry { key, form })
}

/// The tokens between the parentheses of an attribute; `None` where there are none.
pub(crate) fn arguments(attr: &syn::Attribute) -> Option<TokenStream> {
    match &attr.meta {
        syn::Meta::List(list) if !list.tokens.is_empty() => Some(list.tokens.clone()),
        _ => None,
    }
}
