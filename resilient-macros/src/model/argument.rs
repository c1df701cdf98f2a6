//! One argument: how it arrives, and what the body calls it.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::spanned::Spanned as _;
use syn::{Attribute, Pat, PatType, Type};

use crate::attr::Options;

/// An argument other than `self`.
pub(crate) struct Argument {
    /// The name outside the body.
    pub(crate) ident: Ident,
    /// The pattern that the body binds it with, where it is more than the name.
    pub(crate) pattern: Option<Pat>,
    pub(crate) passing: Passing,
    /// The attributes that its bindings need as well: `cfg` and lint levels.
    pub(crate) attrs: Vec<Attribute>,
    /// `#[expect(...)]`, which can come true only where the body's own binding is.
    pub(crate) expect: Vec<Attribute>,
    /// Where errors about this argument point.
    pub(crate) span: Span,
}

/// How an argument arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// `&T`: every attempt gets the same reference.
    Shared,
    /// `&mut T`: only one attempt can have it.
    Exclusive,
    /// Owned: every attempt gets a copy, the last one the value.
    Owned,
    /// Owned, and named in `borrow`: every attempt sees a reference.
    Borrowed,
    /// `_`: no attempt sees it.
    Ignored,
}

impl Passing {
    pub(crate) fn of_type(ty: &Type) -> Self {
        match ty {
            Type::Reference(reference) if reference.mutability.is_some() => Self::Exclusive,
            Type::Reference(_) => Self::Shared,
            Type::Group(group) => Self::of_type(&group.elem),
            Type::Paren(paren) => Self::of_type(&paren.elem),
            _ => Self::Owned,
        }
    }
}

impl Argument {
    pub(crate) fn new(position: usize, typed: &PatType, options: &Options) -> Self {
        let span = typed.pat.span();
        let (ident, pattern) = match &*typed.pat {
            Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
                let plain = name.mutability.is_none();
                (
                    name.ident.clone(),
                    (!plain).then(|| Pat::Ident(name.clone())),
                )
            }
            other => {
                let hidden = span.resolved_at(Span::mixed_site());
                let ident = format_ident!("__arg{position}", span = hidden);
                (ident, Some(other.clone()))
            }
        };
        let borrowed = options
            .borrow
            .as_ref()
            .is_some_and(|borrow| borrow.value.contains(&ident));
        let passing = match Passing::of_type(&typed.ty) {
            _ if matches!(*typed.pat, Pat::Wild(_)) => Passing::Ignored,
            Passing::Owned if borrowed => Passing::Borrowed,
            passing => passing,
        };
        let attrs = typed.attrs.iter().filter(|attr| applies_to_let(attr));
        let expect = typed.attrs.iter().filter(|attr| is_expect(attr));
        Self {
            ident,
            pattern,
            passing,
            attrs: attrs.cloned().collect(),
            expect: expect.cloned().collect(),
            span,
        }
    }

    /// Whether the argument is bound again, on its way into the body or in there.
    pub(crate) fn is_rebound(&self, retries: bool) -> bool {
        match self.passing {
            Passing::Ignored => false,
            Passing::Borrowed => true,
            Passing::Owned => retries,
            Passing::Shared | Passing::Exclusive => retries && self.pattern.is_some(),
        }
    }

    /// Whether the user gave it a name that `borrow` can use.
    pub(crate) fn is_named(&self) -> bool {
        match &self.pattern {
            None => true,
            Some(Pat::Ident(name)) => name.by_ref.is_none() && name.subpat.is_none(),
            Some(_) => false,
        }
    }
}

/// Whether an attribute of an argument also belongs on the `let` that binds it again.
fn applies_to_let(attr: &Attribute) -> bool {
    ["cfg", "allow", "warn", "deny", "forbid"]
        .iter()
        .any(|name| attr.path().is_ident(name))
}

/// Whether this is `#[expect(...)]`.
pub(crate) fn is_expect(attr: &Attribute) -> bool {
    attr.path().is_ident("expect")
}
