//! One registration, found at run time by being linked:
//!
//! ```text
//! const _: () = {
//!     inventory::submit! {
//!         SoftDeleteRegistration::new(|| {
//!             soft_delete(&Entity, &Column::DeletedAt, concat!(module_path!(), "::Entity"))
//!         })
//!     }
//! };
//! ```

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::attr::Declared;
use crate::entity::Field;
use crate::expand::private;

pub(super) fn registration(field: &Field, declared: &Declared<'_>) -> TokenStream {
    let site = Span::mixed_site();
    let private = private(declared.krate.as_ref());
    // SeaORM's, beside the struct.
    let table = Ident::new("Entity", Span::call_site());
    let column = Ident::new("Column", Span::call_site());
    let variant = field.variant();
    let database = declared
        .database
        .iter()
        .map(|name| quote_spanned!(site=> .database(#name)));
    quote_spanned! {site=>
        const _: () = {
            #private::inventory::submit! {
                #private::SoftDeleteRegistration::new(|| {
                    #private::soft_delete(
                        &#table,
                        &#column::#variant,
                        ::core::concat!(::core::module_path!(), "::Entity"),
                    )
                    #(#database)*
                })
            }
        };
    }
}
