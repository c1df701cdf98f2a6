//! Readers for the value of one key. Each answers `None` after it has reported what is wrong.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{Expr, ExprPath, Lit, Path};

use crate::ctxt::Ctxt;
use crate::{duration, words};

/// One entry of `on = [...]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// A single fault kind.
    Kind(&'static str),
    /// A named group of them.
    Group(&'static str),
}

/// A key and its value, about to be read.
pub(crate) struct Read<'a> {
    pub(crate) ctxt: &'a Ctxt,
    pub(crate) key: &'a Ident,
    pub(crate) value: Option<&'a Expr>,
}

impl Read<'_> {
    /// Reports that the value is not of the expected form: "`key` takes `expected`".
    pub(crate) fn wrong<T>(&self, expected: &str, example: &str) -> Option<T> {
        let key = self.key;
        let message = format!("`{key}` takes {expected}, for example `{key} = {example}`");
        match self.value {
            Some(value) => self.ctxt.error_on(value, message),
            None => self.ctxt.error(key.span(), message),
        }
        None
    }

    /// The value without the invisible groups that `macro_rules!` variables leave.
    pub(super) fn plain(&self) -> Option<&Expr> {
        self.value.map(ungroup)
    }

    /// A whole number.
    pub(super) fn count(&self) -> Option<u32> {
        match literal(self.plain()) {
            Some(Lit::Int(number)) if number.suffix().is_empty() || number.suffix() == "u32" => {
                match number.base10_parse() {
                    Ok(count) => Some(count),
                    Err(_) => self.wrong("a whole number that fits in 32 bits", "3"),
                }
            }
            _ => self.wrong("a whole number", "3"),
        }
    }

    /// `key`, `key = true` or `key = false`.
    pub(super) fn flag(&self) -> Option<bool> {
        if self.value.is_none() {
            return Some(true);
        }
        match literal(self.plain()) {
            Some(Lit::Bool(flag)) => Some(flag.value),
            _ => self.wrong("no value, or `true` or `false`", "true"),
        }
    }

    /// A key that stands alone.
    pub(super) fn bare(&self) -> Option<()> {
        match self.value {
            None => Some(()),
            Some(value) => {
                let key = self.key;
                self.ctxt.error_on(
                    value,
                    format!("`{key}` takes no value, write `#[resilient({key})]`"),
                );
                None
            }
        }
    }

    /// One of a few words, as a string.
    pub(super) fn word(&self, words: &'static [&'static str]) -> Option<&'static str> {
        let Some(Lit::Str(text)) = literal(self.plain()) else {
            let expected = format!("one of {}", words::list(words, '"'));
            // A bare word that would be right as a string is the likeliest slip.
            let example = ident(self.plain())
                .and_then(|word| words::nearest(&word.to_string(), words))
                .or(words.first().copied())
                .unwrap_or_default();
            return self.wrong(&expected, &format!("\"{example}\""));
        };
        let found = find(words, &text.value());
        if found.is_none() {
            let message = words::unknown(&self.key.to_string(), &text.value(), words, '"');
            self.ctxt.error(text.span(), message);
        }
        found
    }

    /// A duration in nanoseconds.
    pub(super) fn duration(&self) -> Option<u64> {
        let Some(literal) = literal(self.plain()) else {
            return self.wrong("a duration in quotes", "\"2s\"");
        };
        match literal {
            Lit::Str(text) => nanoseconds(self.ctxt, text),
            // `2s` is a number with a suffix to the lexer.
            Lit::Int(number) if !number.suffix().is_empty() => {
                self.wrong("a duration in quotes", &format!("\"{number}\""))
            }
            Lit::Int(number) => self.wrong(
                "a duration in quotes, with its unit",
                &format!("\"{number}s\""),
            ),
            _ => self.wrong("a duration in quotes", "\"2s\""),
        }
    }

    /// A path.
    pub(crate) fn path(&self, example: &str) -> Option<Path> {
        match self.plain() {
            Some(Expr::Path(ExprPath {
                attrs,
                qself: None,
                path,
            })) if attrs.is_empty() => Some(path.clone()),
            _ => self.wrong("a path, without quotes", example),
        }
    }

    /// Any expression.
    pub(super) fn expression(&self) -> Option<Expr> {
        match self.value {
            Some(value) if !matches!(literal(self.plain()), Some(Lit::Str(_))) => {
                Some(value.clone())
            }
            _ => self.wrong(
                "an expression for the connection, without quotes",
                "self.pool",
            ),
        }
    }

    /// A metric name.
    pub(super) fn name(&self) -> Option<String> {
        match literal(self.plain()) {
            Some(Lit::Str(text)) if !text.value().trim().is_empty() => Some(text.value()),
            _ => self.wrong("a name in quotes", "\"Accounts::transfer\""),
        }
    }

    /// A list of argument names.
    pub(super) fn names(&self) -> Option<Vec<Ident>> {
        let example = "[order]";
        let Some(Expr::Array(array)) = self.plain() else {
            return self.wrong("a list of argument names", example);
        };
        if array.elems.is_empty() {
            return self.wrong("at least one argument name", example);
        }
        let mut names: Vec<Ident> = Vec::new();
        for element in &array.elems {
            match ident(Some(element)) {
                Some(name) if names.contains(name) => self.ctxt.error(
                    name.span(),
                    format!("`{name}` is listed more than once, keep one of them"),
                ),
                Some(name) => names.push(name.clone()),
                None => self.ctxt.error_on(
                    element,
                    "`borrow` lists argument names, for example `borrow = [order]`",
                ),
            }
        }
        Some(names)
    }

    /// An expression, or several in parentheses.
    pub(super) fn keys(&self) -> Option<Vec<Expr>> {
        let example = "(from, to)";
        match self.plain() {
            Some(Expr::Tuple(tuple)) if tuple.elems.is_empty() => {
                self.wrong("at least one key", example)
            }
            Some(Expr::Tuple(tuple)) => Some(tuple.elems.iter().cloned().collect()),
            // A list, as `borrow` takes one, would be one key; and a text the same for all.
            None | Some(Expr::Array(_) | Expr::Lit(_)) => self.wrong(
                "an expression, or several in parentheses, that say which calls take turns",
                example,
            ),
            Some(key) => Some(vec![key.clone()]),
        }
    }

    /// A list of fault kinds and groups.
    pub(super) fn faults(&self) -> Option<Vec<Faults>> {
        let example = "[deadlock, serialization_failure]";
        let Some(Expr::Array(array)) = self.plain() else {
            return self.wrong("a list of fault kinds", example);
        };
        if array.elems.is_empty() {
            self.ctxt.error_on(
                array,
                "`on` is empty, so nothing would be retried: list fault kinds, for example \
                 `on = [deadlock]`, remove it for `on = [transient]`, or write `retries = 0`",
            );
            return None;
        }
        let mut faults = Vec::new();
        for element in &array.elems {
            if let Some(fault) = self.fault(element) {
                if faults.contains(&fault) {
                    let name = fault.name();
                    self.ctxt.error_on(
                        element,
                        format!("`{name}` is listed more than once, keep one of them"),
                    );
                } else {
                    faults.push(fault);
                }
            }
        }
        Some(faults)
    }

    /// One entry of `on`.
    fn fault(&self, element: &Expr) -> Option<Faults> {
        let Some(name) = ident(Some(element)) else {
            self.ctxt.error_on(
                element,
                "`on` lists fault kinds without quotes, for example `on = [deadlock]`",
            );
            return None;
        };
        let text = name.unraw().to_string();
        let kind = find(words::FAULT_KINDS, &text).map(Faults::Kind);
        let found = kind.or_else(|| find(words::FAULT_GROUPS, &text).map(Faults::Group));
        if found.is_none() {
            let all = [words::FAULT_GROUPS, words::FAULT_KINDS].concat();
            let message = words::unknown("fault kind", &text, &all, '`');
            self.ctxt.error(name.span(), message);
        }
        found
    }
}

impl Faults {
    /// The name as written in `on`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kind(name) | Self::Group(name) => name,
        }
    }
}

/// The nanoseconds of a duration in quotes.
pub(super) fn nanoseconds(ctxt: &Ctxt, text: &syn::LitStr) -> Option<u64> {
    match duration::parse(&text.value()) {
        Ok(nanoseconds) => Some(nanoseconds),
        Err(error) => {
            ctxt.error(
                text.span(),
                format!(
                    "{:?} {error}, write a number and one of `ns`, `us`, `ms`, `s`, `m`, `h`, \
                     for example \"2s\" or \"1.5s\"",
                    text.value()
                ),
            );
            None
        }
    }
}

/// The literal, if the value is one.
pub(crate) fn literal(value: Option<&Expr>) -> Option<&Lit> {
    match value.map(ungroup) {
        Some(Expr::Lit(literal)) => Some(&literal.lit),
        _ => None,
    }
}

/// The single name, if the value is one.
pub(super) fn ident(value: Option<&Expr>) -> Option<&Ident> {
    match value.map(ungroup) {
        Some(Expr::Path(path)) if path.qself.is_none() => path.path.get_ident(),
        _ => None,
    }
}

/// The list's own copy of `word`.
pub(crate) fn find(words: &[&'static str], word: &str) -> Option<&'static str> {
    words.iter().copied().find(|known| *known == word)
}

/// The expression inside invisible groups.
fn ungroup(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}
