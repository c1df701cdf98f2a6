//! `backoff = exponential(...)`, `fixed("10ms")` or `none`.

use proc_macro2::Ident;
use syn::{Expr, ExprCall, Lit};

use super::value::{Read, find, ident, literal, nanoseconds};
use crate::words;

/// The delay between attempts; durations are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backoff {
    None,
    Fixed(u64),
    Exponential {
        base: u64,
        max: u64,
        jitter: &'static str,
    },
}

const DEFAULT_BASE: u64 = 2_000_000;
const DEFAULT_MAX: u64 = 1_000_000_000;
const DEFAULT_JITTER: &str = "full";

const EXPECTED: &str = "`exponential(...)`, `fixed(...)` or `none`";
const EXAMPLE: &str = "exponential(base = \"2ms\", max = \"1s\", jitter = \"full\")";

/// Reads the value of `backoff`.
pub(super) fn read(read: &Read<'_>) -> Option<Backoff> {
    match read.plain() {
        Some(Expr::Call(call)) => match ident(Some(&call.func)) {
            Some(form) => with_arguments(read, form, call),
            None => read.wrong(EXPECTED, EXAMPLE),
        },
        value => match ident(value) {
            Some(form) => alone(read, form),
            None => read.wrong(EXPECTED, EXAMPLE),
        },
    }
}

/// A form without parentheses.
fn alone(read: &Read<'_>, form: &Ident) -> Option<Backoff> {
    match form.to_string().as_str() {
        "none" => Some(Backoff::None),
        "exponential" => Some(Backoff::Exponential {
            base: DEFAULT_BASE,
            max: DEFAULT_MAX,
            jitter: DEFAULT_JITTER,
        }),
        "fixed" => fixed_form(read, form),
        other => unknown_form(read, form, other),
    }
}

/// A form with parentheses.
fn with_arguments(read: &Read<'_>, form: &Ident, call: &ExprCall) -> Option<Backoff> {
    match form.to_string().as_str() {
        "none" => {
            let message = "`none` takes no arguments, write `backoff = none`";
            read.ctxt.error_on(call, message);
            None
        }
        "exponential" => exponential(read, call),
        "fixed" => {
            let mut arguments = call.args.iter();
            match (literal(arguments.next()), arguments.next()) {
                (Some(Lit::Str(text)), None) => nanoseconds(read.ctxt, text).map(Backoff::Fixed),
                _ => fixed_form(read, call),
            }
        }
        other => unknown_form(read, form, other),
    }
}

/// The parameters of `exponential(...)`.
fn exponential(read: &Read<'_>, call: &ExprCall) -> Option<Backoff> {
    let (mut base, mut max) = (DEFAULT_BASE, DEFAULT_MAX);
    let mut jitter = DEFAULT_JITTER;
    let mut seen: Vec<&Ident> = Vec::new();
    let mut valid = true;
    for argument in &call.args {
        let parameter = match argument {
            Expr::Assign(assign) => ident(Some(&assign.left)).map(|name| (name, &*assign.right)),
            _ => None,
        };
        let Some((name, value)) = parameter else {
            read.ctxt.error_on(
                argument,
                format!("expected a parameter with its value, for example `{EXAMPLE}`"),
            );
            valid = false;
            continue;
        };
        if seen.contains(&name) {
            read.ctxt.error(
                name.span(),
                format!("`{name}` is given more than once, keep one of them"),
            );
            valid = false;
            continue;
        }
        seen.push(name);
        let inner = Read {
            ctxt: read.ctxt,
            key: name,
            value: Some(value),
        };
        let known = match name.to_string().as_str() {
            "base" => inner.duration().map(|value| base = value),
            "max" => inner.duration().map(|value| max = value),
            "jitter" => inner.word(words::JITTER).map(|value| jitter = value),
            other => {
                let message =
                    words::unknown("parameter of `exponential`", other, words::EXPONENTIAL, '`');
                read.ctxt.error(name.span(), message);
                None
            }
        };
        valid &= known.is_some();
    }
    if valid && base > max {
        read.ctxt.error_on(
            call,
            "`base` is longer than `max`, so the delay could never grow: \
             raise `max` (1s by default), lower `base`, or use `fixed(...)`",
        );
        valid = false;
    }
    valid.then_some(Backoff::Exponential { base, max, jitter })
}

/// `fixed` with something other than one duration.
fn fixed_form(read: &Read<'_>, at: impl quote::ToTokens) -> Option<Backoff> {
    let message = "`fixed` takes one duration, for example `backoff = fixed(\"10ms\")`";
    read.ctxt.error_on(at, message);
    None
}

/// A word that is no form of back-off.
fn unknown_form(read: &Read<'_>, form: &Ident, word: &str) -> Option<Backoff> {
    debug_assert!(find(words::BACKOFF, word).is_none());
    let message = words::unknown("backoff", word, words::BACKOFF, '`');
    read.ctxt.error(form.span(), message);
    None
}
