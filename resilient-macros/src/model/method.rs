//! A function or method that becomes resilient.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::{FnArg, ImplItemFn, Receiver, ReceiverKind, ReturnType, Type};

use super::argument::{Argument, Passing};
use super::boxed;
use crate::attr::Options;

/// A function or method, with everything that its expansion needs to know.
pub(crate) struct Method {
    /// As the user wrote it, without `#[resilient]`.
    pub(crate) item: ImplItemFn,
    /// What its own attribute says.
    pub(crate) own: Options,
    /// What applies: its own attribute over the block's.
    pub(crate) options: Options,
    pub(crate) form: Form,
    pub(crate) place: Place,
    /// How `self` arrives; `None` for functions without it.
    pub(crate) receiver: Option<Passing>,
    pub(crate) arguments: Vec<Argument>,
    /// The attribute that selected it, for errors that concern no single token.
    pub(crate) attribute: Span,
}

/// How the function is asynchronous.
pub(crate) enum Form {
    /// `async fn`.
    Native,
    /// `fn ... -> Pin<Box<dyn Future<Output = ...>>> { Box::pin(async move { ... }) }`, which is
    /// what `#[async_trait]` leaves behind; here with the `Output`.
    Boxed(Box<Type>),
    /// Not at all, which is an error.
    Sync,
}

/// Where the attribute stands.
pub(crate) enum Place {
    /// On the function itself.
    Alone,
    /// On the impl block, or on a method inside an annotated one; here with the type's name.
    Block(String),
}

impl Method {
    pub(crate) fn new(
        item: ImplItemFn,
        own: Options,
        options: Options,
        place: Place,
        attribute: Span,
    ) -> Self {
        let form = if item.sig.asyncness.is_some() {
            Form::Native
        } else {
            boxed::output(&item).map_or(Form::Sync, |output| Form::Boxed(Box::new(output)))
        };
        let receiver = item.sig.receiver().map(receiver_passing);
        let typed = item.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        });
        let arguments = typed
            .enumerate()
            .map(|(position, typed)| Argument::new(position, typed, &options))
            .collect();
        Self {
            item,
            own,
            options,
            form,
            place,
            receiver,
            arguments,
            attribute,
        }
    }

    /// The type of a finished call, if there is one.
    pub(crate) fn output(&self) -> Option<&Type> {
        match (&self.form, &self.item.sig.output) {
            (Form::Boxed(output), _) | (_, ReturnType::Type(_, output)) => Some(output),
            (_, ReturnType::Default) => None,
        }
    }

    /// Whether a call can fail in a way that the framework sees.
    pub(crate) fn returns_result(&self) -> bool {
        self.output().is_some_and(is_result)
    }

    /// The name for metrics, and whether the type's name is to be put before it at run time.
    pub(crate) fn name(&self) -> (String, bool) {
        if let Some(name) = &self.options.name {
            return (name.value.clone(), false);
        }
        let function = self.item.sig.ident.unraw();
        match &self.place {
            Place::Alone => (function.to_string(), self.receiver.is_some()),
            Place::Block(ty) => (format!("{ty}::{function}"), false),
        }
    }

    /// The `self` of the receiver, which carries the hygiene that the body's `self` has.
    pub(crate) fn self_token(&self) -> Option<syn::Token![self]> {
        self.item.sig.receiver().map(|receiver| receiver.self_token)
    }
}

/// How `self` arrives.
fn receiver_passing(receiver: &Receiver) -> Passing {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) => Passing::Shared,
        ReceiverKind::Reference(_, _, Some(_)) => Passing::Exclusive,
        ReceiverKind::Typed(_, ty) => Passing::of_type(ty),
        _ => Passing::Owned,
    }
}

/// Whether the last segment of a path type ends with `Result`.
fn is_result(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|segment| segment.ident.to_string().ends_with("Result")),
        Type::Group(group) => is_result(&group.elem),
        Type::Paren(paren) => is_result(&paren.elem),
        _ => false,
    }
}
