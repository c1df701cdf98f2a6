//! The placeholders in `message` and `suggestion`, read as the runtime fills them.

use syn::LitStr;

use crate::ctxt::Ctxt;
use crate::words;

/// Reports every placeholder that would be left unfilled.
pub(super) fn check(ctxt: &Ctxt, text: &LitStr, exposes: bool, expects_values: bool) {
    let value = text.value();
    let mut rest = value.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            rest = &brace[2..];
            continue;
        }
        let Some(inside) = brace.strip_prefix('{') else {
            ctxt.error(
                text.span(),
                "`}` closes no placeholder, write `}}` for a brace",
            );
            return;
        };
        let Some((name, tail)) = inside
            .split_once('}')
            .filter(|(name, _)| !name.contains('{'))
        else {
            let message =
                "`{` is not closed; write a placeholder as `{column}`, or `{{` for a brace";
            ctxt.error(text.span(), message);
            return;
        };
        if let Some(message) = wrong(name, exposes, expects_values) {
            ctxt.error(text.span(), message);
        }
        rest = tail;
    }
}

/// What is wrong with a placeholder.
fn wrong(name: &str, exposes: bool, expects_values: bool) -> Option<String> {
    if name == "value" && !expects_values {
        let message = "`{value}` shows nothing here: what violates `not_null` has no value";
        return Some(message.to_owned());
    }
    if name == "value" {
        let message = "`{value}` shows data of users, also to whoever reads the logs; if that is \
                       meant, add `expose_values`";
        return (!exposes).then(|| message.to_owned());
    }
    if words::PLACEHOLDERS.contains(&name) {
        return None;
    }
    let message = words::unknown("placeholder", name, words::PLACEHOLDERS, '`');
    Some(format!("{message}; for a brace, write `{{{{` or `}}}}`"))
}
