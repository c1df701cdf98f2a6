//! Recognises what `#[async_trait]` makes of an `async fn`:
//!
//! ```text
//! fn f(...) -> Pin<Box<dyn Future<Output = R> + Send + 'async_trait>> {
//!     Box::pin(async move { ... })
//! }
//! ```

use syn::{
    Block, Expr, ExprAsync, ExprCall, GenericArgument, ImplItemFn, PathArguments, PathSegment,
    ReturnType, Stmt, Type, TypeParamBound,
};

/// The `Output` of the returned future, if the function has this form.
pub(super) fn output(item: &ImplItemFn) -> Option<Type> {
    async_block(&item.block)?;
    let ReturnType::Type(_, ty) = &item.sig.output else {
        return None;
    };
    let boxed = single_argument(last_segment(ty, "Pin")?)?;
    let future = single_argument(last_segment(boxed, "Box")?)?;
    let Type::TraitObject(object) = future else {
        return None;
    };
    object.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => future_output(bound.path.segments.last()?),
        _ => None,
    })
}

/// The block of the one `Box::pin(async move { ... })` that the function consists of.
fn async_block(block: &Block) -> Option<&Block> {
    let [Stmt::Expr(Expr::Call(call), None)] = block.stmts.as_slice() else {
        return None;
    };
    match call.args.first() {
        Some(Expr::Async(ExprAsync { block, .. })) if is_box_pin(call) => Some(block),
        _ => None,
    }
}

/// The same, to be replaced.
pub(crate) fn async_block_mut(block: &mut Block) -> Option<&mut Block> {
    let [Stmt::Expr(Expr::Call(call), None)] = block.stmts.as_mut_slice() else {
        return None;
    };
    match call.args.first_mut() {
        Some(Expr::Async(ExprAsync { block, .. })) => Some(block),
        _ => None,
    }
}

/// Whether this calls `Box::pin`, by whatever path, with one argument.
fn is_box_pin(call: &ExprCall) -> bool {
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    let mut names = function.path.segments.iter().rev().map(|part| &part.ident);
    call.args.len() == 1
        && names.next().is_some_and(|name| name == "pin")
        && names.next().is_some_and(|name| name == "Box")
}

/// The last segment of a path type, if it has this name.
fn last_segment<'a>(ty: &'a Type, name: &str) -> Option<&'a PathSegment> {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .filter(|segment| segment.ident == name),
        Type::Group(group) => last_segment(&group.elem, name),
        _ => None,
    }
}

/// The type between the angle brackets of a segment.
fn single_argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// `R` of `Future<Output = R>`.
fn future_output(segment: &PathSegment) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    if segment.ident != "Future" {
        return None;
    }
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(assoc) if assoc.ident == "Output" => Some(assoc.ty.clone()),
        _ => None,
    })
}
