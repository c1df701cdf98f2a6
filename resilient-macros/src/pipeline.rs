//! Tokens to tokens: read the attribute, understand the item, check both, emit.

use proc_macro2::{Span, TokenStream};
use syn::Attribute;

use crate::attr::{self, Options};
use crate::ctxt::Ctxt;
use crate::model::{Block, Method, Place, Target, take_attributes};
use crate::{expand, fallback, valid};

/// `#[resilient(attribute)] item`.
pub(crate) fn resilient(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let ctxt = Ctxt::new();
    let options = attr::parse(&ctxt, attribute);
    let expansion = understand(&ctxt, options, item);
    match (ctxt.finish(), expansion) {
        (Ok(()), Some(expansion)) => expansion,
        (Ok(()), None) => fallback::cleaned(item),
        (Err(mut errors), _) => {
            errors.extend(fallback::cleaned(item));
            errors
        }
    }
}

/// Everything but the decision what to emit: the expansion, to be used only if nothing was
/// reported.
pub(crate) fn understand(ctxt: &Ctxt, options: Options, item: &TokenStream) -> Option<TokenStream> {
    // The whole attribute, as far as the compiler lets us point at it.
    let span = Span::call_site();
    match Target::parse(item.clone()) {
        Ok(Target::Function(mut function)) => {
            refuse_second(ctxt, &take_attributes(&mut function.attrs));
            let own = options.clone();
            let method = Method::new(*function, own, options, Place::Alone, span);
            valid::check_method(ctxt, &method);
            Some(expand::method(&method))
        }
        Ok(Target::Block(mut item)) => {
            refuse_second(ctxt, &take_attributes(&mut item.attrs));
            let block = Block::new(ctxt, *item, &options, span);
            valid::check_block(ctxt, &options, &block, span);
            Some(expand::block(block))
        }
        Ok(Target::Other(span, what)) => {
            ctxt.error(
                span,
                format!("`#[resilient]` goes on functions and impl blocks only, this is {what}"),
            );
            None
        }
        Err(error) => {
            ctxt.push(error);
            None
        }
    }
}

/// A second attribute on the same item would wrap it twice.
fn refuse_second(ctxt: &Ctxt, others: &[Attribute]) {
    for other in others {
        ctxt.error_on(other, "`#[resilient]` is given more than once, merge them");
    }
}
