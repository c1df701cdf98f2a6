//! Compares expansions with the files in `tests/expand`: `name.rs` is the input, `name.expanded.rs`
//! what is expected. `UPDATE_EXPAND=1` writes the latter.

use std::path::{Path, PathBuf};
use std::{env, fs};

use quote::ToTokens as _;
use syn::{File, Item, Meta};

use crate::model::take_attributes;
use crate::{constraint, pipeline, repository_error, soft_delete};

#[test]
fn expansions_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/expand");
    let mut inputs: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("tests/expand is there")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".rs"))
        .filter(|path| !path.to_string_lossy().ends_with(".expanded.rs"))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "no inputs in {}", folder.display());
    let mut changed = Vec::new();
    for input in inputs {
        let source = fs::read_to_string(&input).expect("a readable input");
        let expanded = expand(&source);
        let expected = input.with_extension("expanded.rs");
        if env::var_os("UPDATE_EXPAND").is_some() {
            fs::write(&expected, &expanded).expect("a writable folder");
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&expanded) {
            changed.push(format!("{}:\n{expanded}", input.display()));
        }
    }
    assert!(
        changed.is_empty(),
        "these expand differently than recorded; if that is meant, run with UPDATE_EXPAND=1\n\n{}",
        changed.join("\n")
    );
}

/// The file, with every annotated item expanded; behind a struct what `ConstraintMessages` or
/// `SoftDelete` adds, and behind an enum what `RepositoryError` does.
fn expand(source: &str) -> String {
    let mut file = syn::parse_file(source).expect("valid Rust");
    let mut items = Vec::new();
    for mut item in file.items {
        let derived = match &item {
            Item::Struct(item) if derives(item, "SoftDelete") => {
                Some(soft_delete::derive(item.to_token_stream()))
            }
            Item::Struct(item) => Some(constraint::derive(item.to_token_stream())),
            Item::Enum(item) => Some(repository_error::derive(item.to_token_stream())),
            _ => None,
        };
        if let Some(derived) = derived {
            let derived: File = syn::parse2(derived).expect("the expansion is valid Rust");
            items.push(item);
            items.extend(derived.items);
            continue;
        }
        let attributes = match &mut item {
            Item::Fn(item) => take_attributes(&mut item.attrs),
            Item::Impl(item) => take_attributes(&mut item.attrs),
            _ => Vec::new(),
        };
        let Some(attribute) = attributes.into_iter().next() else {
            items.push(item);
            continue;
        };
        let arguments = match attribute.meta {
            Meta::List(list) => list.tokens,
            _ => proc_macro2::TokenStream::new(),
        };
        let expanded = pipeline::resilient(arguments, &item.into_token_stream());
        let expanded: File = syn::parse2(expanded).expect("the expansion is valid Rust");
        items.extend(expanded.items);
    }
    file.items = items;
    prettyplease::unparse(&file)
}

fn derives(item: &syn::ItemStruct, name: &str) -> bool {
    let derive = |attr: &syn::Attribute| {
        attr.path().is_ident("derive")
            && matches!(&attr.meta, Meta::List(list) if list.tokens.to_string() == name)
    };
    item.attrs.iter().any(derive)
}
