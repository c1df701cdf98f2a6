//! What is emitted after an error: the messages, and the user's item without our attributes, so
//! that its callers do not break a second time.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::ImplItem;

use crate::model::{Target, take_attributes};

/// The item, untouched but for every `#[resilient]` in it.
pub(crate) fn cleaned(item: &TokenStream) -> TokenStream {
    match Target::parse(item.clone()) {
        Ok(Target::Function(mut function)) => {
            take_attributes(&mut function.attrs);
            quote!(#function)
        }
        Ok(Target::Block(mut block)) => {
            take_attributes(&mut block.attrs);
            for item in &mut block.items {
                if let ImplItem::Fn(function) = item {
                    take_attributes(&mut function.attrs);
                }
            }
            block.to_token_stream()
        }
        Ok(Target::Other(..)) | Err(_) => item.clone(),
    }
}
