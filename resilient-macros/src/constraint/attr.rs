//! The syntax of `#[constraint(...)]`: attributes in, [`Declared`] with spans out.

use proc_macro2::{Group, Ident, TokenTree};
use syn::{Attribute, Expr, Lit, LitStr, Path};

use crate::attr::{Read, find, literal};
use crate::ctxt::Ctxt;
use crate::entity::{Entity, Field, Nature};
use crate::entries::{self, Entry, Form};
use crate::words;

const EXAMPLE: &str = "unique(message = \"that name is taken\")";

/// Everything that the attributes of one entity say.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) rules: Vec<Rule>,
    pub(super) database: Option<LitStr>,
    pub(super) krate: Option<Path>,
}

/// One constraint.
pub(super) struct Rule {
    pub(super) kind: &'static str,
    /// The kind as written.
    pub(super) at: Ident,
    /// The position of the field that it stands on.
    pub(super) field: Option<usize>,
    pub(super) columns: Vec<Ident>,
    pub(super) message: Option<LitStr>,
    pub(super) code: Option<LitStr>,
    pub(super) suggestion: Option<LitStr>,
    pub(super) name: Option<LitStr>,
    pub(super) by: Option<LitStr>,
    /// The keys, also those whose value was wrong, so that each is reported once.
    seen: Vec<Ident>,
}

impl Rule {
    /// The key, if it was written.
    pub(super) fn key(&self, name: &str) -> Option<&Ident> {
        self.seen.iter().find(|key| *key == name)
    }

    /// The columns that it is about, in the order in which they are written.
    pub(super) fn fields<'a>(&'a self, entity: &'a Entity) -> impl Iterator<Item = &'a Field> {
        let own = self.field.and_then(|position| entity.fields.get(position));
        // `columns` on a field is reported, and means nothing.
        let listed = self.columns.iter().filter(move |_| own.is_none());
        own.into_iter()
            .chain(listed.filter_map(|name| entity.field(name)))
    }
}

/// Reads the attributes of the struct, then those of its columns.
pub(super) fn read(ctxt: &Ctxt, entity: &Entity) -> Declared {
    let mut reader = Reader {
        ctxt,
        declared: Declared::default(),
        seen: Vec::new(),
    };
    for attr in &entity.attrs {
        reader.attribute(attr, None);
    }
    for (position, field) in entity.fields.iter().enumerate() {
        for attr in &field.attrs {
            if let Nature::Column(..) = field.nature {
                reader.attribute(attr, Some(position));
            }
        }
    }
    reader.declared
}

struct Reader<'a> {
    ctxt: &'a Ctxt,
    declared: Declared,
    /// The keys of the entity so far.
    seen: Vec<Ident>,
}

impl Reader<'_> {
    fn attribute(&mut self, attr: &Attribute, field: Option<usize>) {
        let Some(tokens) = entries::arguments(attr) else {
            let message = format!("say which constraint, for example `#[constraint({EXAMPLE})]`");
            return self.ctxt.error_on(attr, message);
        };
        for entry in entries::read(self.ctxt, tokens, EXAMPLE) {
            self.entry(entry, field);
        }
    }

    /// A kind of constraint, or a key of the entity.
    fn entry(&mut self, Entry { key, form }: Entry, field: Option<usize>) {
        let ctxt = self.ctxt;
        let word = key.to_string();
        if let Some(kind) = find(words::CONSTRAINT_KINDS, &word) {
            let arguments = match form {
                Form::Bare | Form::Broken => None,
                Form::List(group) => Some(group),
                Form::Value(value) => {
                    let message =
                        format!("`{kind}` takes no value, write `{kind}(message = \"...\")`");
                    return ctxt.error_on(value, message);
                }
            };
            return self
                .declared
                .rules
                .push(rule(ctxt, kind, key, field, arguments));
        }
        if words::ENTITY_KEYS.contains(&word.as_str()) {
            return self.entity_key(&key, &form, field);
        }
        let message = if words::RULE_KEYS.contains(&word.as_str()) {
            format!(
                "`{word}` belongs to one constraint, put it into its parentheses: `unique({word} ...)`"
            )
        } else if word == "primary_key" {
            "a primary key is `unique`, write that".to_owned()
        } else if field.is_some() {
            words::unknown("constraint", &word, words::CONSTRAINT_KINDS, '`')
        } else {
            let all = [words::CONSTRAINT_KINDS, words::ENTITY_KEYS].concat();
            words::unknown("constraint", &word, &all, '`')
        };
        ctxt.error(key.span(), message);
    }

    /// `database` or `crate`.
    fn entity_key(&mut self, key: &Ident, form: &Form, field: Option<usize>) {
        let ctxt = self.ctxt;
        if field.is_some() {
            return ctxt.error(
                key.span(),
                format!("`{key}` is about the whole entity, put `#[constraint({key} = ...)]` on the struct"),
            );
        }
        if self.seen.contains(key) {
            return ctxt.duplicate(key);
        }
        self.seen.push(key.clone());
        if let Form::Broken = form {
            return;
        }
        let value = form.value();
        let declared = &mut self.declared;
        if key == "crate" {
            declared.krate = Read { ctxt, key, value }.path("::resilient_sea_orm");
        } else {
            declared.database = text(ctxt, key, value);
        }
    }
}

/// A kind with what stands in its parentheses.
fn rule(
    ctxt: &Ctxt,
    kind: &'static str,
    at: Ident,
    field: Option<usize>,
    arguments: Option<Group>,
) -> Rule {
    let mut rule = Rule {
        kind,
        at,
        field,
        columns: Vec::new(),
        message: None,
        code: None,
        suggestion: None,
        name: None,
        by: None,
        seen: Vec::new(),
    };
    let tokens = arguments.map(|group| group.stream()).unwrap_or_default();
    for Entry { key, form } in entries::read(ctxt, tokens, "message = \"that name is taken\"") {
        rule.set(ctxt, key, form);
    }
    rule
}

impl Rule {
    /// Stores one key.
    fn set(&mut self, ctxt: &Ctxt, key: Ident, form: Form) {
        let word = key.to_string();
        if !words::RULE_KEYS.contains(&word.as_str()) {
            return ctxt.error(key.span(), self.unknown(&word));
        }
        if self.key(&word).is_some() {
            return ctxt.duplicate(&key);
        }
        match (word.as_str(), form) {
            (_, Form::Broken) | ("expose_values", Form::Bare) => {}
            ("columns", Form::List(group)) => self.columns = columns(ctxt, &group),
            ("columns", Form::Value(value)) => ctxt.error_on(value, COLUMNS),
            ("columns", Form::Bare) => ctxt.error(key.span(), COLUMNS),
            ("expose_values", Form::Value(value)) => ctxt.error_on(value, ALONE),
            ("expose_values", Form::List(group)) => ctxt.error_on(group, ALONE),
            (_, form) => {
                let text = text(ctxt, &key, form.value());
                match word.as_str() {
                    "message" => self.message = text,
                    "code" => self.code = text,
                    "suggestion" => self.suggestion = text,
                    "name" => self.name = text,
                    _ => self.by = text,
                }
            }
        }
        self.seen.push(key);
    }

    /// What to say about a word that is no key, or not one of a constraint.
    fn unknown(&self, word: &str) -> String {
        let kind = self.kind;
        if words::ENTITY_KEYS.contains(&word) {
            return format!(
                "`{word}` is about the whole entity, not one constraint: \
                 put `#[constraint({word} = ...)]` on the struct"
            );
        }
        // Only what fits here is offered.
        let keys: Vec<&str> = words::RULE_KEYS
            .iter()
            .copied()
            .filter(|key| match *key {
                "columns" => self.field.is_none(),
                "by" => kind == "restrict",
                "expose_values" => kind != "not_null",
                _ => true,
            })
            .collect();
        words::unknown(&format!("key of `{kind}`"), word, &keys, '`')
    }
}

const COLUMNS: &str =
    "`columns` takes names of fields in parentheses, for example `columns(tenant_id, handle)`";

const ALONE: &str = "`expose_values` stands alone, write `unique(expose_values, ...)`";

/// The names in `columns(...)`.
fn columns(ctxt: &Ctxt, group: &Group) -> Vec<Ident> {
    if group.stream().is_empty() {
        ctxt.error_on(group, COLUMNS);
    }
    if let Some(TokenTree::Literal(text)) = group.stream().into_iter().next() {
        ctxt.error(text.span(), COLUMNS);
        return Vec::new();
    }
    let mut names: Vec<Ident> = Vec::new();
    for Entry { key, form } in entries::read(ctxt, group.stream(), "tenant_id") {
        match form {
            Form::Bare if names.contains(&key) => ctxt.error(
                key.span(),
                format!("`{key}` is listed more than once, keep one of them"),
            ),
            Form::Bare => names.push(key),
            Form::Value(_) | Form::List(_) => ctxt.error(key.span(), COLUMNS),
            Form::Broken => {}
        }
    }
    names
}

/// A text in quotes that says something.
pub(crate) fn text(ctxt: &Ctxt, key: &Ident, value: Option<&Expr>) -> Option<LitStr> {
    let example = match key.to_string().as_str() {
        "message" => "\"that name is taken\"",
        "code" => "\"name_taken\"",
        "suggestion" => "\"choose another name\"",
        "name" => "\"users_age_check\"",
        "by" => "\"users\"",
        _ => "\"audit\"",
    };
    match literal(value) {
        Some(Lit::Str(text)) if text.value().trim().is_empty() => {
            let message = format!("`{key}` is empty, write a text or remove it");
            ctxt.error(text.span(), message);
            None
        }
        Some(Lit::Str(text)) => Some(text.clone()),
        _ => Read { ctxt, key, value }.wrong("a text in quotes", example),
    }
}
