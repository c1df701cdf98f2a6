//! `CallOptions::new().retries(3u32)...`: one method call per key that the user wrote.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned as _;

use crate::attr::{Backoff, Faults, Options};
use crate::words::camel_case;

/// The constant expression for the options of a call site.
pub(super) fn call_options(options: &Options, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let mut chain = quote_spanned!(site=> #private::CallOptions::new());
    if let Some(retries) = &options.retries {
        let retries = retries.value;
        chain.extend(quote_spanned!(site=> .retries(#retries)));
    }
    if let Some(on) = &options.on {
        let faults = fault_set(&on.value, private);
        chain.extend(quote_spanned!(site=> .on(#faults)));
    }
    if let Some(isolation) = &options.isolation {
        let level = variant(isolation.value);
        chain.extend(quote_spanned!(site=> .isolation(#private::IsolationLevel::#level)));
    }
    if let Some(commit) = &options.commit {
        let mode = variant(commit.value);
        chain.extend(quote_spanned!(site=> .commit(#private::CommitMode::#mode)));
    }
    if let Some(admission) = &options.admission {
        let admission = variant(admission.value);
        chain.extend(quote_spanned!(site=> .admission(#private::Admission::#admission)));
    }
    if options.read_only.as_ref().is_some_and(|flag| flag.value) {
        chain.extend(quote_spanned!(site=> .read_only()));
    }
    if let Some(propagation) = &options.propagation {
        let propagation = variant(propagation.value);
        chain.extend(quote_spanned!(site=> .propagation(#private::Propagation::#propagation)));
    }
    if let Some(timeout) = &options.timeout {
        let timeout = duration(timeout.value);
        chain.extend(quote_spanned!(site=> .timeout(#timeout)));
    }
    if let Some(deadline) = &options.deadline {
        let deadline = duration(deadline.value);
        chain.extend(quote_spanned!(site=> .deadline(#deadline)));
    }
    if let Some(backoff) = &options.backoff {
        let delay = delay(backoff.value, private);
        chain.extend(quote_spanned!(site=> .delay(#delay)));
    }
    if let Some(policy) = &options.policy {
        let policy = &policy.value;
        chain.extend(quote_spanned!(site=> .policy(#policy)));
    }
    chain
}

/// The keys by which the call takes turns. What is wrong with one is said at it.
pub(super) fn turns(options: &Options, private: &TokenStream) -> Option<TokenStream> {
    let keys = &options.serialize_by.as_ref()?.value;
    let mut chain = quote_spanned!(Span::mixed_site()=> #private::TurnKeys::new());
    for key in keys {
        let at = key.span().resolved_at(Span::mixed_site());
        chain.extend(quote_spanned!(at=> .and(&(#key))));
    }
    Some(chain)
}

/// `FaultSet::NONE.union(FaultSet::CONTENTION).with(FaultKind::PoolTimeout)`.
fn fault_set(faults: &[Faults], private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    let mut set = quote_spanned!(site=> #private::FaultSet::NONE);
    for fault in faults {
        set.extend(match fault {
            Faults::Group(name) => {
                let group = Ident::new(&name.to_uppercase(), site);
                quote_spanned!(site=> .union(#private::FaultSet::#group))
            }
            Faults::Kind(name) => {
                let kind = variant(name);
                quote_spanned!(site=> .with(#private::FaultKind::#kind))
            }
        });
    }
    set
}

/// The delay between attempts.
fn delay(backoff: Backoff, private: &TokenStream) -> TokenStream {
    let site = Span::mixed_site();
    match backoff {
        Backoff::None => quote_spanned!(site=> #private::Delay::none()),
        Backoff::Fixed(delay) => {
            let delay = duration(delay);
            quote_spanned!(site=> #private::Delay::fixed(#delay))
        }
        Backoff::Exponential { base, max, jitter } => {
            let (base, max) = (duration(base), duration(max));
            let jitter = variant(jitter);
            quote_spanned! {site=>
                #private::Delay::exponential(#base, #max, #private::Jitter::#jitter)
            }
        }
    }
}

/// A constant `Duration`.
fn duration(nanoseconds: u64) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> ::core::time::Duration::from_nanos(#nanoseconds))
}

/// The enum variant for a `snake_case` word.
fn variant(word: &str) -> Ident {
    format_ident!("{}", camel_case(word), span = Span::mixed_site())
}
