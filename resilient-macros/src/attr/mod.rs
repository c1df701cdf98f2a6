//! The syntax of `#[resilient(...)]`: tokens in, [`Options`] with spans out.
//!
//! Only what one key alone can tell is checked here; rules over several keys, or over the item,
//! are in `valid`.

mod backoff;
mod value;

#[cfg(test)]
mod tests;

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::discouraged::Speculative as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Path, Token};

pub(crate) use self::backoff::Backoff;
pub(crate) use self::value::{Faults, Read, find, literal};
use crate::ctxt::Ctxt;
use crate::words;

/// A value with the key that set it.
#[derive(Clone)]
pub(crate) struct Setting<T> {
    /// The key as written, for errors about the value.
    pub(crate) key: Ident,
    /// The position among the keys that apply; a method's come after its block's.
    pub(crate) order: usize,
    pub(crate) value: T,
}

/// Everything one attribute sets, or a block's and a method's attribute together.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// How many keys there are, valid or not.
    pub(crate) keys: usize,
    pub(crate) retries: Option<Setting<u32>>,
    pub(crate) on: Option<Setting<Vec<Faults>>>,
    pub(crate) isolation: Option<Setting<&'static str>>,
    pub(crate) commit: Option<Setting<&'static str>>,
    pub(crate) admission: Option<Setting<&'static str>>,
    pub(crate) read_only: Option<Setting<bool>>,
    pub(crate) propagation: Option<Setting<&'static str>>,
    /// Nanoseconds.
    pub(crate) timeout: Option<Setting<u64>>,
    /// Nanoseconds.
    pub(crate) deadline: Option<Setting<u64>>,
    pub(crate) backoff: Option<Setting<Backoff>>,
    pub(crate) policy: Option<Setting<Path>>,
    pub(crate) db: Option<Setting<Expr>>,
    pub(crate) borrow: Option<Setting<Vec<Ident>>>,
    pub(crate) serialize_by: Option<Setting<Vec<Expr>>>,
    pub(crate) name: Option<Setting<String>>,
    pub(crate) krate: Option<Setting<Path>>,
    pub(crate) skip: Option<Setting<()>>,
}

/// Reads the tokens between the parentheses of one attribute.
pub(crate) fn parse(ctxt: &Ctxt, tokens: TokenStream) -> Options {
    let mut reader = Reader {
        ctxt,
        seen: Vec::new(),
        options: Options::default(),
    };
    let outcome = |input: ParseStream<'_>| {
        while !input.is_empty() {
            reader.entry(input);
        }
        Ok(())
    };
    if let Err(error) = outcome.parse2(tokens) {
        ctxt.push(error);
    }
    reader.options.keys = reader.seen.len();
    reader.options
}

impl Options {
    /// This method's options with those of its block behind them, key by key.
    pub(crate) fn over(&self, block: &Self) -> Self {
        let after = block.keys;
        Self {
            keys: self.keys + block.keys,
            retries: over(self.retries.as_ref(), block.retries.as_ref(), after),
            on: over(self.on.as_ref(), block.on.as_ref(), after),
            isolation: over(self.isolation.as_ref(), block.isolation.as_ref(), after),
            commit: over(self.commit.as_ref(), block.commit.as_ref(), after),
            admission: over(self.admission.as_ref(), block.admission.as_ref(), after),
            read_only: over(self.read_only.as_ref(), block.read_only.as_ref(), after),
            propagation: over(self.propagation.as_ref(), block.propagation.as_ref(), after),
            timeout: over(self.timeout.as_ref(), block.timeout.as_ref(), after),
            deadline: over(self.deadline.as_ref(), block.deadline.as_ref(), after),
            backoff: over(self.backoff.as_ref(), block.backoff.as_ref(), after),
            policy: over(self.policy.as_ref(), block.policy.as_ref(), after),
            db: over(self.db.as_ref(), block.db.as_ref(), after),
            borrow: over(self.borrow.as_ref(), block.borrow.as_ref(), after),
            serialize_by: over(
                self.serialize_by.as_ref(),
                block.serialize_by.as_ref(),
                after,
            ),
            name: over(self.name.as_ref(), block.name.as_ref(), after),
            krate: over(self.krate.as_ref(), block.krate.as_ref(), after),
            skip: over(self.skip.as_ref(), block.skip.as_ref(), after),
        }
    }

    /// Whether the body can run more than once.
    pub(crate) fn may_retry(&self) -> bool {
        self.retries
            .as_ref()
            .is_none_or(|retries| retries.value > 0)
    }
}

/// One setting of a method, or else of its block.
fn over<T: Clone>(
    own: Option<&Setting<T>>,
    block: Option<&Setting<T>>,
    after: usize,
) -> Option<Setting<T>> {
    own.map(|own| Setting {
        key: own.key.clone(),
        order: own.order + after,
        value: own.value.clone(),
    })
    .or_else(|| block.cloned())
}

/// Reads one attribute, key by key.
struct Reader<'a> {
    ctxt: &'a Ctxt,
    /// The keys so far; also those whose value was wrong, so that each is reported once.
    seen: Vec<String>,
    options: Options,
}

impl Reader<'_> {
    /// One `key`, or `key = value`, and the comma after it. Goes on behind the next comma after
    /// an error.
    fn entry(&mut self, input: ParseStream<'_>) {
        let Ok(key) = input.call(Ident::parse_any) else {
            self.ctxt.error(
                input.span(),
                "expected an option, for example `retries = 3`",
            );
            return skip_entry(input);
        };
        let value = if input.peek(Token![=]) {
            match equals(input, &key) {
                Ok(value) => Some(value),
                Err(error) => {
                    self.ctxt.push(error);
                    self.seen.push(key.to_string());
                    return skip_entry(input);
                }
            }
        } else {
            if !input.is_empty() && !input.peek(Token![,]) {
                self.ctxt.error(
                    input.span(),
                    format!("expected `=` or `,` after `{key}`, write `{key} = ...`"),
                );
                self.seen.push(key.to_string());
                return skip_entry(input);
            }
            None
        };
        if !input.is_empty() && !input.peek(Token![,]) {
            self.ctxt
                .error(input.span(), "expected `,` between options");
        }
        self.set(&key, value.as_ref());
        skip_entry(input);
    }

    /// Stores one key.
    fn set(&mut self, key: &Ident, value: Option<&Expr>) {
        let name = key.to_string();
        if self.seen.contains(&name) {
            self.ctxt.error(
                key.span(),
                format!("`{name}` is given more than once, keep one of them"),
            );
            return;
        }
        let order = self.seen.len();
        let (ctxt, options) = (self.ctxt, &mut self.options);
        let read = value::Read { ctxt, key, value };
        match name.as_str() {
            "retries" => options.retries = setting(key, order, read.count()),
            "on" => options.on = setting(key, order, read.faults()),
            "isolation" => options.isolation = setting(key, order, read.word(words::ISOLATION)),
            "read_only" => options.read_only = setting(key, order, read.flag()),
            "propagation" => {
                options.propagation = setting(key, order, read.word(words::PROPAGATION));
            }
            "timeout" => options.timeout = setting(key, order, read.duration()),
            "deadline" => options.deadline = setting(key, order, read.duration()),
            "backoff" => options.backoff = setting(key, order, backoff::read(&read)),
            "policy" => options.policy = setting(key, order, read.path("my_policies::PATIENT")),
            "commit" => options.commit = setting(key, order, read.word(words::COMMIT)),
            "admission" => options.admission = setting(key, order, read.word(words::ADMISSION)),
            "db" => options.db = setting(key, order, read.expression()),
            "borrow" => options.borrow = setting(key, order, read.names()),
            "serialize_by" => options.serialize_by = setting(key, order, read.keys()),
            "name" => options.name = setting(key, order, read.name()),
            "crate" => options.krate = setting(key, order, read.path("::resilient_sea_orm")),
            "skip" => options.skip = setting(key, order, read.bare()),
            _ => ctxt.error(
                key.span(),
                words::unknown("option", &name, words::KEYS, '`'),
            ),
        }
        self.seen.push(name);
    }
}

/// A setting, if its value could be read.
fn setting<T>(key: &Ident, order: usize, value: Option<T>) -> Option<Setting<T>> {
    value.map(|value| Setting {
        key: key.clone(),
        order,
        value,
    })
}

/// The value behind `=`. On an error nothing behind the `=` is consumed.
pub(crate) fn equals(input: ParseStream<'_>, key: &Ident) -> syn::Result<Expr> {
    let equals: Token![=] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        let message = format!("`{key}` has no value, write one after the `=`");
        return Err(syn::Error::new(equals.span, message));
    }
    let fork = input.fork();
    let value = fork.parse()?;
    input.advance_to(&fork);
    Ok(value)
}

/// Skips to behind the next comma.
pub(crate) fn skip_entry(input: ParseStream<'_>) {
    while !input.is_empty() {
        if input.parse::<Token![,]>().is_ok() {
            return;
        }
        // Never fails: there is a token.
        if input.parse::<proc_macro2::TokenTree>().is_err() {
            return;
        }
    }
}
