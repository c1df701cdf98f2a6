//! Rules over several options, and over options and the item. Reports only; changes nothing.

#[cfg(test)]
mod tests;

use proc_macro2::Span;
use syn::FnArg;

use crate::attr::{Options, Setting};
use crate::ctxt::Ctxt;
use crate::model::{Block, Form, Method, Passing, Place};
use crate::words;

/// The propagations that never begin a transaction of their own.
const NO_TRANSACTION: &[&str] = &["mandatory", "supports", "not_supported", "never"];

/// Checks an annotated impl block and the methods that it covers.
pub(crate) fn check_block(ctxt: &Ctxt, options: &Options, block: &Block, attribute: Span) {
    for (key, place) in [
        (key(options.name.as_ref()), "one name cannot fit them all"),
        (
            key(options.skip.as_ref()),
            "there it leaves one method alone",
        ),
        (
            key(options.borrow.as_ref()),
            "it names arguments of one method",
        ),
    ] {
        if let Some(key) = key {
            ctxt.error(
                key.span(),
                format!("`{key}` does not go on an impl block, put it on a method: {place}"),
            );
        }
    }
    check_pairs(ctxt, options, options);
    if block.methods.is_empty() {
        ctxt.error(
            attribute,
            "this covers no method: an impl block's `#[resilient]` covers its `pub` async methods \
             with a `self` receiver that return a `Result` (in a trait impl, every such method)\n\
             make one of them `pub`, or put `#[resilient]` on it",
        );
    }
    for (_, method) in &block.methods {
        check_method(ctxt, method);
    }
}

/// Checks one function or method.
pub(crate) fn check_method(ctxt: &Ctxt, method: &Method) {
    if let (Place::Alone, Some(skip)) = (&method.place, &method.own.skip) {
        ctxt.error(
            skip.key.span(),
            "`skip` leaves a method of an annotated impl block alone; \
             here, remove the whole `#[resilient]`",
        );
        return;
    }
    check_signature(ctxt, method);
    check_connection(ctxt, method);
    check_exclusive(ctxt, method);
    check_borrow(ctxt, method);
    check_pairs(ctxt, &method.own, &method.options);
}

/// `async`, not `const`, and a `Result`.
fn check_signature(ctxt: &Ctxt, method: &Method) {
    let sig = &method.item.sig;
    if let Some(constness) = &sig.constness {
        ctxt.error(
            constness.span,
            "a `const fn` cannot be resilient: it reaches no database; write `async fn`",
        );
    } else if matches!(method.form, Form::Sync) {
        ctxt.error(
            sig.fn_token.span,
            "`#[resilient]` needs an `async fn`, add `async` before `fn`",
        );
    }
    if method.returns_result() || (matches!(method.form, Form::Sync) && is_opaque(method)) {
        return;
    }
    let message = "a resilient function returns a `Result`, whose error says what failed; \
                   write `-> Result<...>`";
    match method.output() {
        Some(output) => ctxt.error_on(output, message),
        None => ctxt.error(sig.ident.span(), message),
    }
}

/// Whether the function returns some future, so that nothing can be said about its output.
fn is_opaque(method: &Method) -> bool {
    matches!(method.output(), Some(syn::Type::ImplTrait(_)))
}

/// Some connection: `self.db`, or what `db` says.
fn check_connection(ctxt: &Ctxt, method: &Method) {
    if method.receiver.is_none() && method.options.db.is_none() {
        ctxt.error(
            method.attribute,
            "no connection found: without `self` there is no `self.db`; \
             name the connection, for example `db = pool`",
        );
    }
}

/// No `&mut` where an attempt can follow another.
fn check_exclusive(ctxt: &Ctxt, method: &Method) {
    if !method.options.may_retry() {
        return;
    }
    for input in &method.item.sig.inputs {
        match input {
            FnArg::Receiver(receiver) if method.receiver == Some(Passing::Exclusive) => ctxt
                .error_on(
                    receiver,
                    "`&mut self` cannot be retried: an attempt would see what the one before it \
                     changed; take `&self`, or set `retries = 0`",
                ),
            FnArg::Typed(argument) if Passing::of_type(&argument.ty) == Passing::Exclusive => ctxt
                .error_on(
                    argument,
                    "a `&mut` argument cannot be retried: an attempt would see what the one \
                     before it changed; take it by value or by `&`, or set `retries = 0`",
                ),
            _ => {}
        }
    }
}

/// Every name in `borrow` is an owned argument.
fn check_borrow(ctxt: &Ctxt, method: &Method) {
    let Some(borrow) = &method.own.borrow else {
        return;
    };
    let idents: Vec<String> = method
        .arguments
        .iter()
        .filter(|argument| argument.is_named())
        .map(|argument| argument.ident.to_string())
        .collect();
    let names: Vec<&str> = idents.iter().map(String::as_str).collect();
    for name in &borrow.value {
        let argument = method.arguments.iter().find(|found| found.ident == *name);
        let message = match argument.map(|argument| argument.passing) {
            Some(Passing::Borrowed) => continue,
            Some(_) => format!("`{name}` is a reference already, remove it from `borrow`"),
            None if name == "self" => {
                "`self` cannot be named in `borrow`, take `&self` instead".to_owned()
            }
            None if names.is_empty() => {
                format!(
                    "there is no argument `{name}`: this function has none that `borrow` can name"
                )
            }
            None => words::unknown("argument", &name.to_string(), &names, '`'),
        };
        ctxt.error(name.span(), message);
    }
}

/// Options that exclude each other. `own` are the options of the attribute at hand, `all` those
/// that apply: only pairs in which `own` has a part are reported, so that a block's are reported
/// once and a method may replace what would not fit.
fn check_pairs(ctxt: &Ctxt, own: &Options, all: &Options) {
    if let Some(retries) = all.retries.as_ref().filter(|retries| retries.value == 0) {
        let useless = [
            key_order(own.on.as_ref(), all.on.as_ref()),
            key_order(own.backoff.as_ref(), all.backoff.as_ref()),
        ];
        for (key, order) in useless.into_iter().flatten() {
            let at = if order > retries.order {
                key
            } else {
                &retries.key
            };
            ctxt.error(
                at.span(),
                format!(
                    "`{key}` has no effect with `retries = 0`, which never runs the body again; \
                     remove one of them"
                ),
            );
        }
    }
    check_propagation(ctxt, own, all);
    if let (Some(timeout), Some(deadline)) = (&all.timeout, &all.deadline) {
        let ours = own.timeout.is_some() || own.deadline.is_some();
        if ours && timeout.value > deadline.value {
            ctxt.error(
                later(timeout, deadline),
                "`timeout` bounds one attempt and `deadline` all of them, \
                 so `timeout` cannot be the longer one; lower it or drop it",
            );
        }
    }
}

/// `isolation`, `read_only` and `admission` belong to a transaction that this call begins, turns and
/// a verified commit to one that it is in.
fn check_propagation(ctxt: &Ctxt, own: &Options, all: &Options) {
    let Some(propagation) = &all.propagation else {
        return;
    };
    if !NO_TRANSACTION.contains(&propagation.value) {
        return;
    }
    let changed = own.propagation.is_some();
    let report = |key: &str, at: Span| {
        ctxt.error(
            at,
            format!(
                "`{key}` cannot be honoured with `propagation = \"{}\"`, which never begins a \
                 transaction; remove one of them, or use \"required\"",
                propagation.value
            ),
        );
    };
    if let Some(keys) = &all.serialize_by
        && propagation.value != "mandatory"
        && (changed || own.serialize_by.is_some())
    {
        report("serialize_by", later(keys, propagation));
    }
    if let Some(isolation) = &all.isolation
        && (changed || own.isolation.is_some())
    {
        report("isolation", later(isolation, propagation));
    }
    if let Some(commit) = all.commit.as_ref().filter(|c| c.value == "verified")
        && matches!(propagation.value, "not_supported" | "never")
        && (changed || own.commit.is_some())
    {
        report("commit", later(commit, propagation));
    }
    if let Some(admission) = all.admission.as_ref().filter(|a| a.value == "adaptive")
        && matches!(propagation.value, "mandatory" | "not_supported" | "never")
        && (changed || own.admission.is_some())
    {
        report("admission", later(admission, propagation));
    }
    if let Some(read_only) = all.read_only.as_ref().filter(|flag| flag.value)
        && (changed || own.read_only.is_some())
    {
        report("read_only", later(read_only, propagation));
    }
}

/// The key of a setting.
fn key<T>(setting: Option<&Setting<T>>) -> Option<&syn::Ident> {
    setting.map(|setting| &setting.key)
}

/// The key of an attribute's own setting, and its place among all.
fn key_order<'a, T>(
    own: Option<&Setting<T>>,
    all: Option<&'a Setting<T>>,
) -> Option<(&'a syn::Ident, usize)> {
    own.and(all).map(|setting| (&setting.key, setting.order))
}

/// The key that comes later of two.
fn later<A, B>(left: &Setting<A>, right: &Setting<B>) -> Span {
    if left.order > right.order {
        left.key.span()
    } else {
        right.key.span()
    }
}
