//! `#[derive(RepositoryError)]`: conversions of database errors into an enum of the user's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Field, Path, Type, Variant};

use crate::attr::Read;
use crate::ctxt::Ctxt;
use crate::entries::{self, Entry, Form};
use crate::{expand, words};

const MARK: &str = "#[resilient(source)]";

/// The conversions, or every error.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let ctxt = Ctxt::new();
    let expansion = understand(&ctxt, input);
    match ctxt.finish() {
        Ok(()) => expansion.unwrap_or_default(),
        Err(errors) => errors,
    }
}

/// The conversions, to be used only if nothing was reported.
fn understand(ctxt: &Ctxt, input: TokenStream) -> Option<TokenStream> {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => {
            ctxt.push(error);
            return None;
        }
    };
    let name = "`#[derive(RepositoryError)]` goes on an enum";
    let variants = match &input.data {
        Data::Enum(data) => &data.variants,
        Data::Struct(data) => {
            ctxt.error(data.struct_token.span, format!("{name}, this is a struct"));
            return None;
        }
        Data::Union(data) => {
            ctxt.error(data.union_token.span, format!("{name}, this is a union"));
            return None;
        }
    };
    let krate = krate(ctxt, &input.attrs);
    let mut source: Option<&Variant> = None;
    // Also wrongly, so that a missing one is not reported on top.
    let mut marked = false;
    for variant in variants {
        for attr in variant.fields.iter().flat_map(|field| &field.attrs) {
            if is_ours(attr) {
                marked = true;
                ctxt.error_on(
                    attr,
                    format!(
                        "this goes on the variant, put `{MARK}` on `{}`",
                        variant.ident
                    ),
                );
            }
        }
        marked |= variant.attrs.iter().any(is_ours);
        let Some(mark) = mark(ctxt, variant) else {
            continue;
        };
        match source {
            Some(first) => ctxt.error(
                mark.span(),
                format!(
                    "only one variant holds database errors, and `{}` is marked already: \
                     remove one `{MARK}`",
                    first.ident
                ),
            ),
            None => source = Some(variant),
        }
    }
    let Some(variant) = source else {
        if !marked {
            ctxt.error(
                input.ident.span(),
                format!(
                    "no variant is marked as the one that holds database errors, write for \
                     example\n{MARK} Database(resilient_sea_orm::Error)"
                ),
            );
        }
        return None;
    };
    let mut fields = variant.fields.iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        ctxt.error(
            variant.ident.span(),
            format!(
                "the variant with `{MARK}` has one field, for example \
                 `{}(resilient_sea_orm::Error)`",
                variant.ident
            ),
        );
        return None;
    };
    Some(conversions(&input, variant, field, krate.as_ref()))
}

fn is_ours(attr: &Attribute) -> bool {
    attr.path().is_ident("resilient")
}

/// `#[resilient(crate = path)]` on the enum.
fn krate(ctxt: &Ctxt, attrs: &[Attribute]) -> Option<Path> {
    let mut krate = None;
    let mut seen = false;
    for Entry { key, form } in all(ctxt, attrs, "crate = ::resilient_sea_orm") {
        if key == "source" {
            let message = format!("`source` marks a variant, put `{MARK}` on one of them");
            ctxt.error(key.span(), message);
        } else if key != "crate" {
            unknown(ctxt, &key, words::ERROR_KEYS);
        } else if seen {
            ctxt.duplicate(&key);
        } else {
            seen = true;
            if let Form::Broken = form {
                continue;
            }
            let (key, value) = (&key, form.value());
            krate = Read { ctxt, key, value }.path("::resilient_sea_orm");
        }
    }
    krate
}

/// The `source` of a variant's `#[resilient(source)]`.
fn mark(ctxt: &Ctxt, variant: &Variant) -> Option<Ident> {
    let mut mark = None;
    for Entry { key, form } in all(ctxt, &variant.attrs, "source") {
        if key == "crate" {
            ctxt.error(
                key.span(),
                "`crate` is about all conversions, put `#[resilient(crate = ...)]` on the enum",
            );
        } else if key != "source" {
            unknown(ctxt, &key, words::ERROR_VARIANT_KEYS);
        } else if mark.is_some() {
            ctxt.duplicate(&key);
        } else {
            let message = format!("`source` stands alone: `{MARK}`");
            match form {
                Form::Bare | Form::Broken => {}
                Form::Value(value) => ctxt.error_on(value, message),
                Form::List(group) => ctxt.error_on(group, message),
            }
            mark = Some(key);
        }
    }
    mark
}

/// What stands in every `#[resilient(...)]`.
fn all(ctxt: &Ctxt, attrs: &[Attribute], example: &str) -> Vec<Entry> {
    let mut all = Vec::new();
    for attr in attrs.iter().filter(|attr| is_ours(attr)) {
        match entries::arguments(attr) {
            Some(tokens) => all.extend(entries::read(ctxt, tokens, example)),
            None => ctxt.error_on(
                attr,
                format!("this is empty, write `#[resilient({example})]`"),
            ),
        }
    }
    all
}

fn unknown(ctxt: &Ctxt, key: &Ident, here: &[&str]) {
    let word = key.to_string();
    let message = if words::KEYS.contains(&word.as_str()) {
        format!("`{word}` is an option of functions and impl blocks, it has no meaning here")
    } else {
        words::unknown("option", &word, here, '`')
    };
    ctxt.error(key.span(), message);
}

/// The type that thiserror's `#[from]` on the field converts from.
enum From {
    Nothing,
    Error,
    DbErr,
}

impl From {
    fn of(field: &Field) -> Self {
        let has_from = field.attrs.iter().any(|attr| attr.path().is_ident("from"));
        let mut ty = &field.ty;
        while let Type::Group(group) = ty {
            ty = &group.elem;
        }
        match ty {
            Type::Path(path) if has_from => match path.path.segments.last() {
                Some(last) if last.ident == "DbErr" => Self::DbErr,
                // A pointer to one: `#[from]` converts from pointers alone.
                Some(last) if !last.arguments.is_none() => Self::Nothing,
                // Whatever it is called here, such as an alias.
                _ => Self::Error,
            },
            _ => Self::Nothing,
        }
    }
}

/// `From<Error>` and `From<DbErr>`, except what `#[from]` gives.
fn conversions(
    input: &DeriveInput,
    variant: &Variant,
    field: &Field,
    krate: Option<&Path>,
) -> TokenStream {
    let site = Span::mixed_site();
    let private = expand::private(krate);
    let (name, case) = (&input.ident, &variant.ident);
    let (impls, types, clause) = input.generics.split_for_impl();
    // At the field's type, so that one that no error turns into is reported there.
    let at = field.ty.span().resolved_at(site);
    let value = quote_spanned!(at=> ::core::convert::Into::into(__error));
    let made = if let Some(field) = &field.ident {
        quote_spanned!(site=> { #field: #value })
    } else {
        quote_spanned!(site=> (#value))
    };
    let conversion = |from: &str, inner: TokenStream| {
        let from = Ident::new(from, site);
        quote_spanned! {site=>
            #[automatically_derived]
            impl #impls ::core::convert::From<#private::#from> for #name #types #clause {
                fn from(__error: #private::#from) -> Self {
                    #inner
                    #name::#case #made
                }
            }
        }
    };
    let through = |ty: &str| {
        let ty = Ident::new(ty, site);
        quote_spanned! {site=>
            let __error = <#private::#ty as ::core::convert::From<_>>::from(__error);
        }
    };
    let mut all = TokenStream::new();
    let from = From::of(field);
    match from {
        From::DbErr => all.extend(conversion("Error", through("DbErr"))),
        From::Nothing => all.extend(conversion("Error", TokenStream::new())),
        From::Error => {}
    }
    if !matches!(from, From::DbErr) {
        all.extend(conversion("DbErr", through("Error")));
    }
    all
}
