//! The entity's struct, as SeaORM reads it: which fields are columns, and under which variant of
//! `Column`.

use heck::ToUpperCamelCase as _;
use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Fields, Lit, LitStr, Meta, Token, Type};

use crate::attr::literal;
use crate::ctxt::Ctxt;

/// The struct under the derive.
pub(crate) struct Entity {
    pub(crate) ident: Ident,
    /// Every attribute of the derive on the struct.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) fields: Vec<Field>,
    /// Made by `#[sea_orm::model]`: the relations are on the other struct.
    pub(crate) dense: bool,
}

/// A field of the struct.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    /// Every attribute of the derive on it.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) ty: Type,
    pub(crate) nature: Nature,
}

/// What SeaORM makes of a field.
pub(crate) enum Nature {
    /// A column: its variant, and the name that it has by `column_name`.
    Column(Ident, Option<String>),
    /// `#[sea_orm(ignore)]`.
    Ignored,
    /// `HasMany`, `HasOne` or `BelongsTo`, with the columns that it comes `from`.
    Relation(Vec<String>),
}

impl Entity {
    /// The struct under `#[derive(Name)]`, whose attributes are `#[attribute]`, unless the item
    /// cannot be an entity at all.
    pub(crate) fn parse(
        ctxt: &Ctxt,
        input: TokenStream,
        name: &str,
        attribute: &str,
    ) -> Option<Self> {
        let input: DeriveInput = match syn::parse2(input) {
            Ok(input) => input,
            Err(error) => {
                ctxt.push(error);
                return None;
            }
        };
        let name = format!("`#[derive({name})]`");
        let data = match input.data {
            Data::Struct(data) => data,
            Data::Enum(data) => {
                let message = format!("{name} goes on the entity's `Model`, this is an enum");
                ctxt.error(data.enum_token.span, message);
                return None;
            }
            Data::Union(data) => {
                let message = format!("{name} goes on the entity's `Model`, this is a union");
                ctxt.error(data.union_token.span, message);
                return None;
            }
        };
        let Fields::Named(fields) = data.fields else {
            let message = format!("{name} needs named fields, as every entity's `Model` has");
            ctxt.error(input.ident.span(), message);
            return None;
        };
        if !input.generics.params.is_empty() {
            let message = "an entity's `Model` has no generics, remove them";
            ctxt.error_on(&input.generics.params, message);
        }
        let dense = sea_orm(&input.attrs).any(|meta| meta.path().is_ident("model_ex"));
        let entity = Self {
            ident: input.ident,
            attrs: named(input.attrs, attribute),
            fields: fields
                .named
                .into_iter()
                .filter_map(|field| Field::new(field, attribute))
                .collect(),
            dense,
        };
        if entity.ident != "Model" && !entity.is_extended() {
            ctxt.error(
                entity.ident.span(),
                format!(
                    "{name} goes on the entity's `Model`, this struct is called `{}`",
                    entity.ident
                ),
            );
        }
        Some(entity)
    }

    /// Whether this is the copy with the relations that `#[sea_orm::model]` makes.
    pub(crate) fn is_extended(&self) -> bool {
        self.ident == "ModelEx"
    }

    /// The field of this name.
    pub(crate) fn field(&self, name: &Ident) -> Option<&Field> {
        let name = name.unraw();
        self.fields.iter().find(|field| field.ident.unraw() == name)
    }
}

impl Field {
    fn new(field: syn::Field, attribute: &str) -> Option<Self> {
        let ident = field.ident?;
        Some(Self {
            nature: Nature::new(&ident, &field.attrs, &field.ty),
            attrs: named(field.attrs, attribute),
            ty: field.ty,
            ident,
        })
    }

    /// The name without `r#`.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// The variant of `Column`, if it is a column.
    pub(crate) fn variant(&self) -> Option<&Ident> {
        match &self.nature {
            Nature::Column(variant, _) => Some(variant),
            Nature::Ignored | Nature::Relation(_) => None,
        }
    }
}

impl Nature {
    fn new(ident: &Ident, attrs: &[Attribute], ty: &Type) -> Self {
        let (mut variant, mut column) = (None, None);
        let mut from = Vec::new();
        let mut ignored = false;
        for meta in sea_orm(attrs) {
            let text = match &meta {
                Meta::NameValue(pair) => match literal(Some(&pair.value)) {
                    Some(Lit::Str(text)) => Some(text),
                    _ => None,
                },
                _ => None,
            };
            match (meta.path().get_ident(), text) {
                (Some(key), None) if key == "ignore" => ignored = true,
                (Some(key), Some(text)) if key == "enum_name" => variant = text.parse().ok(),
                (Some(key), Some(text)) if key == "column_name" => column = Some(text.value()),
                (Some(key), Some(text)) if key == "from" => from = columns(text),
                _ => {}
            }
        }
        if is_relation(ty) {
            return Self::Relation(from);
        }
        if ignored {
            return Self::Ignored;
        }
        let variant: Option<Ident> = variant.or_else(|| {
            let camel = match ident.unraw().to_string().to_upper_camel_case() {
                // As SeaORM escapes it.
                keyword if keyword == "Self" => "Self_".to_owned(),
                camel => camel,
            };
            syn::parse_str(&camel).ok()
        });
        let mut variant = variant.unwrap_or_else(|| ident.clone());
        // So that a variant which is not there is reported at the field.
        variant.set_span(ident.span());
        Self::Column(variant, column)
    }
}

/// The variants in `from = "team_id"`, `"Column::TeamId"` or `"(tenant_id, team_id)"`.
fn columns(text: &LitStr) -> Vec<String> {
    text.value()
        .trim_matches(['(', ')'])
        .split(',')
        .filter_map(|path| path.rsplit("::").next())
        .map(|name| name.trim().to_upper_camel_case())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Whether SeaORM takes the type for a relation.
fn is_relation(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            ["HasMany", "HasOne", "BelongsTo"]
                .iter()
                .any(|relation| last.ident == relation)
        }),
        Type::Group(group) => is_relation(&group.elem),
        _ => false,
    }
}

/// What stands in every `#[sea_orm(...)]`. What cannot be read is SeaORM's to report.
fn sea_orm(attrs: &[Attribute]) -> impl Iterator<Item = Meta> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("sea_orm"))
        .filter_map(|attr| {
            attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
                .ok()
        })
        .flatten()
}

/// The attributes of this name.
fn named(attrs: Vec<Attribute>, name: &str) -> Vec<Attribute> {
    attrs
        .into_iter()
        .filter(|attr| attr.path().is_ident(name))
        .collect()
}
