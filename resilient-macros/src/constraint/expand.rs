//! One registration, found at run time by being linked:
//!
//! ```text
//! const _: () = {
//!     inventory::submit! {
//!         Registration::new(|| {
//!             declaration(&Entity, concat!(module_path!(), "::Entity"))
//!                 .rule(rule(ConstraintKind::Unique, [column(&Column::Email)]).message("..."))
//!         })
//!     }
//! };
//! ```

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};

use super::attr::{Declared, Rule};
use crate::entity::{Entity, Field};
use crate::{expand::private, words::camel_case};

pub(super) fn registration(entity: &Entity, declared: &Declared) -> TokenStream {
    let site = Span::mixed_site();
    let private = private(declared.krate.as_ref());
    // SeaORM's, beside the struct.
    let table = Ident::new("Entity", Span::call_site());
    let database = declared
        .database
        .iter()
        .map(|name| quote_spanned!(site=> .database(#name)));
    let rules = declared.rules.iter().map(|one| {
        let rule = rule(entity, one, &private);
        quote_spanned!(site=> .rule(#rule))
    });
    quote_spanned! {site=>
        const _: () = {
            #private::inventory::submit! {
                #private::Registration::new(|| {
                    #private::declaration(
                        &#table,
                        ::core::concat!(::core::module_path!(), "::Entity"),
                    )
                    #(#database)*
                    #(#rules)*
                })
            }
        };
    }
}

fn rule(entity: &Entity, rule: &Rule, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let kind = format_ident!("{}", camel_case(rule.kind), span = site);
    let columns = rule
        .fields(entity)
        .filter_map(Field::variant)
        .map(|variant| {
            let column = Ident::new("Column", Span::call_site());
            quote_spanned!(site=> #private::column(&#column::#variant))
        });
    let mut chain = quote_spanned! {site=>
        #private::rule(#private::ConstraintKind::#kind, [#(#columns),*])
    };
    for (key, text) in [
        ("name", &rule.name),
        ("by", &rule.by),
        ("message", &rule.message),
        ("code", &rule.code),
        ("suggestion", &rule.suggestion),
    ] {
        if let Some(text) = text {
            let key = Ident::new(key, site);
            chain.extend(quote_spanned!(site=> .#key(#text)));
        }
    }
    if rule.key("expose_values").is_some() {
        chain.extend(quote_spanned!(site=> .expose_values()));
    }
    chain
}
