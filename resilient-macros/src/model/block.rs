//! An annotated impl block: which of its methods become resilient, and with which options.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Meta, Type, Visibility};

use super::method::{Form, Method, Place};
use super::target::take_attributes;
use crate::attr::{self, Options};
use crate::ctxt::Ctxt;

/// An impl block.
pub(crate) struct Block {
    /// As the user wrote it, without any `#[resilient]` inside.
    pub(crate) item: ItemImpl,
    /// The methods to cover, each with its place among the items.
    pub(crate) methods: Vec<(usize, Method)>,
}

impl Block {
    pub(crate) fn new(ctxt: &Ctxt, mut item: ItemImpl, options: &Options, span: Span) -> Self {
        let name = type_name(&item.self_ty);
        let of_trait = item.trait_.is_some();
        let mut methods = Vec::new();
        for (position, item) in item.items.iter_mut().enumerate() {
            let ImplItem::Fn(function) = item else {
                continue;
            };
            refuse_conditional(ctxt, function);
            let attributes = take_attributes(&mut function.attrs);
            let own = own_options(ctxt, &attributes);
            if own.as_ref().is_some_and(|own| skips(ctxt, own)) {
                continue;
            }
            let asked = own.is_some();
            let own = own.unwrap_or_default();
            let merged = own.over(options);
            let span = attributes.first().map_or(span, |attr| attr.path().span());
            let place = Place::Block(name.clone());
            let method = Method::new(function.clone(), own, merged, place, span);
            if asked || is_covered(&method, of_trait) {
                methods.push((position, method));
            }
        }
        Self { item, methods }
    }
}

/// Whether a block's attribute covers this method without one of its own: callers can see it, it
/// is asynchronous, and it returns a `Result`. Constructors and the like have no connection yet,
/// so a receiver is needed as well.
fn is_covered(method: &Method, of_trait: bool) -> bool {
    let visible = match method.form {
        Form::Native => of_trait || !matches!(method.item.vis, Visibility::Inherited),
        Form::Boxed(_) => of_trait,
        Form::Sync => false,
    };
    visible && method.receiver.is_some() && method.returns_result()
}

/// The options of a method's own attribute, if it has one.
fn own_options(ctxt: &Ctxt, attributes: &[Attribute]) -> Option<Options> {
    let (first, others) = attributes.split_first()?;
    for other in others {
        ctxt.error_on(other, "`#[resilient]` is given more than once, merge them");
    }
    let tokens = match &first.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            ctxt.error_on(
                first,
                "expected options in parentheses, for example `#[resilient(retries = 3)]`",
            );
            TokenStream::new()
        }
    };
    Some(attr::parse(ctxt, tokens))
}

/// Whether the attribute is `#[resilient(skip)]`.
fn skips(ctxt: &Ctxt, own: &Options) -> bool {
    let Some(skip) = &own.skip else {
        return false;
    };
    if own.keys > 1 {
        ctxt.error(
            skip.key.span(),
            "`skip` stands alone: remove it, or remove the other options",
        );
    }
    true
}

/// Refuses `#[cfg_attr(..., resilient(...))]`, which we cannot see through: it would run after us
/// and wrap the method a second time.
fn refuse_conditional(ctxt: &Ctxt, function: &ImplItemFn) {
    for attr in &function.attrs {
        if !attr.path().is_ident("cfg_attr") {
            continue;
        }
        let found = attr.meta.to_token_stream().into_iter().find_map(names_us);
        if let Some(span) = found {
            ctxt.error(
                span,
                "`cfg_attr` cannot hold `resilient` inside an annotated impl block, \
                 write the method twice under `#[cfg]`",
            );
        }
    }
}

/// Where a token says `resilient`, at any depth.
fn names_us(token: TokenTree) -> Option<Span> {
    match token {
        TokenTree::Ident(ident) if ident == "resilient" => Some(ident.span()),
        TokenTree::Group(group) => group.stream().into_iter().find_map(names_us),
        _ => None,
    }
}

/// What a type is called in a metric name.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .map_or_else(String::new, |segment| segment.ident.unraw().to_string()),
        Type::Reference(reference) => type_name(&reference.elem),
        Type::Group(group) => type_name(&group.elem),
        Type::Paren(paren) => type_name(&paren.elem),
        other => other.to_token_stream().to_string(),
    }
}
