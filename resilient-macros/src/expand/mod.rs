//! Emits tokens. Everything here was checked before, so nothing here can fail.

mod arguments;
mod call;
mod options;
mod output;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::{ImplItem, ImplItemFn, Path, Stmt};

use crate::model::{self, Block, Form, Method};

/// A function or method whose body became a resilient call.
pub(crate) fn method(method: &Method) -> TokenStream {
    transformed(method).into_token_stream()
}

/// An impl block, with the methods that it covers transformed and everything else as it was.
pub(crate) fn block(mut block: Block) -> TokenStream {
    for (position, method) in &block.methods {
        if let Some(item) = block.item.items.get_mut(*position) {
            *item = ImplItem::Fn(transformed(method));
        }
    }
    block.item.into_token_stream()
}

/// What expansions call, in the runtime crate: where `crate = ...` says, or under its own name.
pub(crate) fn private(krate: Option<&Path>) -> TokenStream {
    let site = Span::mixed_site();
    krate.map_or_else(
        || quote_spanned!(site=> ::resilient_sea_orm::__private),
        |krate| quote_spanned!(site=> #krate::__private),
    )
}

/// The function with its new body: in place of the old one, or of the `async` block that
/// `#[async_trait]` made of it.
fn transformed(method: &Method) -> ImplItemFn {
    let mut item = method.item.clone();
    arguments::rename(method, &mut item.sig);
    match &method.form {
        Form::Boxed(_) => {
            if let Some(block) = model::async_block_mut(&mut item.block) {
                let body = call::body(method, block);
                block.stmts = vec![opaque(body)];
            }
        }
        Form::Native | Form::Sync => {
            let body = call::body(method, &item.block);
            item.block.stmts = vec![opaque(body)];
        }
    }
    item
}

/// Tokens as one opaque statement: they are emitted as they are and never looked into.
fn opaque(tokens: TokenStream) -> Stmt {
    Stmt::Expr(syn::Expr::Verbatim(tokens), None)
}
