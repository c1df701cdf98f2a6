//! What the attribute was put on.

use proc_macro2::{Span, TokenStream};
use syn::spanned::Spanned as _;
use syn::{Attribute, ImplItemFn, Item, ItemFn, ItemImpl};

/// The annotated item.
pub(crate) enum Target {
    /// A function, or a method on its own.
    Function(Box<ImplItemFn>),
    /// An impl block.
    Block(Box<ItemImpl>),
    /// Something else: where it is, and what.
    Other(Span, &'static str),
}

impl Target {
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let item: Item = syn::parse2(tokens)?;
        let span = keyword(&item);
        Ok(match item {
            Item::Fn(function) => Self::Function(Box::new(as_method(function))),
            Item::Impl(block) => Self::Block(Box::new(block)),
            Item::Trait(_) => Self::Other(
                span,
                "a trait definition; put it on the `impl` blocks of the trait",
            ),
            Item::Struct(_) | Item::Enum(_) | Item::Union(_) => Self::Other(
                span,
                "a type; put it on the `impl` block with the type's methods",
            ),
            Item::Mod(_) => Self::Other(span, "a module; put it on the `impl` blocks inside"),
            Item::Verbatim(_) => Self::Other(
                span,
                "a declaration without a body; put it where the body is",
            ),
            _ => Self::Other(span, "neither"),
        })
    }
}

/// A free function in the form of a method, which has the same parts.
fn as_method(function: ItemFn) -> ImplItemFn {
    ImplItemFn {
        attrs: function.attrs,
        vis: function.vis,
        modifiers: function.modifiers,
        sig: function.sig,
        block: *function.block,
    }
}

/// Where to point when the item is refused.
fn keyword(item: &Item) -> Span {
    match item {
        Item::Trait(item) => item.trait_token.span,
        Item::Struct(item) => item.struct_token.span,
        Item::Enum(item) => item.enum_token.span,
        Item::Union(item) => item.union_token.span,
        Item::Mod(item) => item.mod_token.span,
        other => other.span(),
    }
}

/// Removes every `#[resilient]` from a list of attributes and hands them out.
///
/// Recognised by the last segment, so that a renamed dependency changes nothing.
pub(crate) fn take_attributes(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    let (ours, theirs) = std::mem::take(attrs).into_iter().partition(is_resilient);
    *attrs = theirs;
    ours
}

/// Whether this is `#[resilient]`, `#[any::path::resilient]`, with or without arguments.
fn is_resilient(attr: &Attribute) -> bool {
    attr.path()
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "resilient")
}
