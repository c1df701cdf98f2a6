//! The new body of a function.
//!
//! Input:
//!
//! ```text
//! async fn transfer(&self, from: Account) -> Result<Receipt> { body }
//! ```
//!
//! Output, in place of the body:
//!
//! ```text
//! static SITE: Site = Site::new("Accounts::transfer", CallOptions::new());
//! let mut call = call(&SITE, &(self.db), None);
//! // With `serialize_by`: call_in_turn(.., TurnKeys::new().and(&(from.id)))
//! let mut owned = Owned::new(from);
//! loop {
//!     let last = call.is_last_attempt();
//!     let attempt = { let from = Owned::replay(&mut owned, last); async move { body } };
//!     let done: Done<Receipt, Error> = call.run(attempt).await;
//!     match done.settle().await {
//!         Step::Done(result) => return result,
//!         Step::Again(next) => call = next.call(),
//!     }
//! }
//! ```
//!
//! With `retries = 0` the same without the loop, so that arguments are moved.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Block, Type};

use super::arguments::{self, Bindings};
use super::{options, output};
use crate::model::{Form, Method};

/// The names of our locals; mixed-site, so that the body neither sees nor disturbs them.
struct Names {
    site: Ident,
    call: Ident,
    last: Ident,
    attempt: Ident,
    done: Ident,
}

impl Names {
    fn new() -> Self {
        let name = |name| Ident::new(name, Span::mixed_site());
        Self {
            site: name("__SITE"),
            call: name("__call"),
            last: name("__last"),
            attempt: name("__attempt"),
            done: name("__done"),
        }
    }
}

/// The statements that replace `block`.
pub(super) fn body(method: &Method, block: &Block) -> TokenStream {
    let site = Span::mixed_site();
    let private = super::private(method.options.krate.as_ref().map(|krate| &krate.value));
    let names = Names::new();
    let bindings = arguments::bindings(method, &private, &names.last);

    let start = start(method, &private, &names);
    let attempt = attempt(method, block, &bindings, &names);
    let finish = finish(method, &private, &names);
    let before = &bindings.before;
    if method.options.may_retry() {
        quote_spanned! {site=>
            #start
            #before
            loop {
                #attempt
                #finish
            }
        }
    } else {
        quote_spanned! {site=>
            #start
            #before
            #attempt
            #finish
        }
    }
}

/// The call site and the call.
fn start(method: &Method, private: &TokenStream, names: &Names) -> TokenStream {
    let Names { site, call, .. } = names;
    let options = options::call_options(&method.options, private);
    let (name, with_type) = method.name();
    let type_name = if with_type {
        quote!(::core::option::Option::Some(::core::any::type_name::<Self>))
    } else {
        quote!(::core::option::Option::None)
    };
    let db = match (&method.options.db, method.self_token()) {
        (Some(db), _) => {
            let db = &db.value;
            quote!(#db)
        }
        (None, this) => quote!(#this.db),
    };
    let start = match options::turns(&method.options, private) {
        None => quote!(#private::call(&#site, &(#db), #type_name)),
        Some(keys) => quote!(#private::call_in_turn(&#site, &(#db), #type_name, #keys)),
    };
    // It is taken up again for each further attempt.
    let mutable = method.options.may_retry().then(|| quote!(mut));
    quote_spanned! {Span::mixed_site()=>
        static #site: #private::Site = #private::Site::new(#name, #options);
        let #mutable #call = #start;
    }
}

/// One attempt, up to its result.
fn attempt(method: &Method, block: &Block, bindings: &Bindings, names: &Names) -> TokenStream {
    let Names {
        call,
        last,
        attempt,
        done,
        ..
    } = names;
    let Bindings {
        attempt: arguments,
        body: patterns,
        needs_last,
        ..
    } = bindings;
    let site = Span::mixed_site();
    let output = method.output().map(output::annotation);
    let last = needs_last.then(|| quote_spanned!(site=> let #last = #call.is_last_attempt();));
    let pin = pin_output(method, output.as_ref());
    let future = quote_spanned! {site=>
        async move {
            #pin
            #patterns
            #block
        }
    };
    let future = if arguments.is_empty() {
        future
    } else {
        quote_spanned!(site=> { #arguments #future })
    };
    // At the return type: what is wrong with it is said once, and there.
    let run = Ident::new("run", at_output(method));
    quote_spanned! {site=>
        #last
        // A body on one line has braces that the block around it makes look unnecessary.
        #[allow(unused_braces)]
        let #attempt = #future;
        let #done = #call.#run(#attempt).await;
    }
}

/// Tells the compiler what the body's `async` block returns, before it looks at the body: without
/// it nothing in there is coerced, and `?` cannot find its target. The block that `#[async_trait]`
/// left says so already.
fn pin_output(method: &Method, output: Option<&Type>) -> TokenStream {
    if let Form::Boxed(_) = method.form {
        return TokenStream::new();
    }
    quote_spanned! {at_output(method)=>
        if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<#output> {
            return __output;
        }
    }
}

/// The end of an attempt: the result, or another one.
fn finish(method: &Method, private: &TokenStream, names: &Names) -> TokenStream {
    let Names { call, done, .. } = names;
    let site = Span::mixed_site();
    let settle = Ident::new("settle", at_output(method));
    let arms = if method.options.may_retry() {
        quote_spanned! {site=>
            #private::Step::Done(__result) => return __result,
            #private::Step::Again(__next) => #call = __next.call(),
        }
    } else {
        quote_spanned! {site=>
            #private::Step::Done(__result) => __result,
            #private::Step::Again(_) => ::core::unreachable!("`retries = 0` has one attempt"),
        }
    };
    quote_spanned! {site=>
        match #done.#settle().await {
            #arms
        }
    }
}

/// The place of the return type, for names that the user's code cannot see.
fn at_output(method: &Method) -> Span {
    let output = method.output().map(Type::span);
    output.map_or_else(Span::mixed_site, |span| {
        span.resolved_at(Span::mixed_site())
    })
}
