//! The arguments on their way from the signature into each attempt.
//!
//! An owned argument `(a, b): Pair` of a function that may retry becomes
//!
//! ```text
//! fn f(__arg0: Pair) {                                 // rename
//!     let mut __owned0 = Owned::new(__arg0);           // before the loop
//!     loop {
//!         let __arg0 = __owned0.replay(last attempt);  // in every attempt
//!         async move { let (a, b) = __arg0; ... }      // in the body
//!     }
//! }
//! ```
//!
//! Without retries everything is moved into the body as it is.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::{FnArg, Pat, PatIdent, Signature, Token};

use crate::model::{Argument, Method, Passing, is_expect};

/// The statements for all arguments, by the place they belong to.
#[derive(Default)]
pub(super) struct Bindings {
    /// Once, before the first attempt.
    pub(super) before: TokenStream,
    /// In every attempt, before the body's future is made.
    pub(super) attempt: TokenStream,
    /// At the start of the body.
    pub(super) body: TokenStream,
    /// Whether `attempt` asks if this is the last one.
    pub(super) needs_last: bool,
}

/// Gives every argument whose pattern moves into the body a plain name.
pub(super) fn rename(method: &Method, sig: &mut Signature) {
    let retries = method.options.may_retry();
    let mut arguments = method.arguments.iter();
    for input in &mut sig.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                if retries && method.receiver == Some(Passing::Owned) {
                    // `self` cannot be bound by `let`, but it can be assigned.
                    receiver.mutability = Some(Token![mut](Span::mixed_site()));
                }
            }
            FnArg::Typed(typed) => {
                let argument = arguments.next();
                if let Some(argument) = argument.filter(|argument| argument.is_rebound(retries)) {
                    typed.attrs.retain(|attr| !is_expect(attr));
                    *typed.pat = Pat::Ident(PatIdent {
                        attrs: Vec::new(),
                        by_ref: None,
                        mutability: None,
                        ident: argument.ident.clone(),
                        subpat: None,
                    });
                }
            }
        }
    }
}

/// The statements that carry the arguments into the attempts.
pub(super) fn bindings(method: &Method, private: &TokenStream, last: &Ident) -> Bindings {
    let retries = method.options.may_retry();
    let mut bindings = Bindings::default();
    if let (true, Some(Passing::Owned), Some(this)) =
        (retries, method.receiver, method.self_token())
    {
        let site = mixed(this.span);
        let owned = Ident::new("__owned_self", site);
        bindings.owned(private, &owned, &this);
        bindings.attempt.extend(quote_spanned! {site=>
            #this = #private::Owned::replay(&mut #owned, #last);
        });
    }
    for (position, argument) in method.arguments.iter().enumerate() {
        bindings.argument(argument, position, retries, private, last);
    }
    bindings
}

impl Bindings {
    fn argument(
        &mut self,
        argument: &Argument,
        position: usize,
        retries: bool,
        private: &TokenStream,
        last: &Ident,
    ) {
        let Argument {
            ident,
            attrs,
            expect,
            pattern,
            ..
        } = argument;
        if !argument.is_rebound(retries) {
            return;
        }
        let site = mixed(argument.span);
        let cfg = quote_spanned!(site=> #(#attrs)*);
        let allow = allow_rebinding(argument);
        let attrs = quote_spanned!(site=> #cfg #allow);
        if argument.passing == Passing::Borrowed {
            self.before.extend(quote_spanned! {site=>
                #attrs
                #(#expect)*
                let #ident = &#ident;
            });
            return;
        }
        if argument.passing == Passing::Owned {
            let owned = format_ident!("__owned{position}", span = site);
            let expect = expect.iter().filter(|_| pattern.is_none());
            self.before.extend(attrs.clone());
            self.owned(private, &owned, ident);
            self.attempt.extend(quote_spanned! {site=>
                #attrs
                #(#expect)*
                let #ident = #private::Owned::replay(&mut #owned, #last);
            });
        }
        if let Some(pattern) = pattern {
            self.body.extend(quote_spanned! {site=>
                #attrs
                #(#expect)*
                let #pattern = #ident;
            });
        }
    }

    /// Puts a value aside, to be handed to every attempt.
    fn owned(&mut self, private: &TokenStream, owned: &Ident, value: &impl quote::ToTokens) {
        let site = owned.span();
        self.before.extend(quote_spanned! {site=>
            let mut #owned = #private::Owned::new(#value);
        });
        self.needs_last = true;
    }
}

/// The same place, for names that the user's code cannot see.
fn mixed(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

/// The user named the argument once; that we bind it again, and use it even though its name may
/// say that it is not used, is no finding of theirs.
fn allow_rebinding(argument: &Argument) -> TokenStream {
    let site = mixed(argument.span);
    if !argument.is_named() {
        return TokenStream::new();
    }
    let underscore = argument.ident.to_string().starts_with('_').then(|| {
        quote_spanned! {site=>
            #[allow(clippy::no_effect_underscore_binding, clippy::used_underscore_binding)]
        }
    });
    quote_spanned! {site=>
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        #underscore
    }
}
