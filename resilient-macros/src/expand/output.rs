//! The return type, as an annotation inside the body.

use proc_macro2::Span;
use syn::visit_mut::{self, VisitMut};
use syn::{Token, Type, TypeInfer};

/// The type for a `let`: every `impl Trait` in it, which cannot stand there, is left to inference.
pub(super) fn annotation(output: &Type) -> Type {
    let mut output = output.clone();
    InferImplTrait.visit_type_mut(&mut output);
    output
}

struct InferImplTrait;

impl VisitMut for InferImplTrait {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::ImplTrait(_) = ty {
            *ty = Type::Infer(TypeInfer {
                attrs: Vec::new(),
                underscore_token: Token![_](Span::mixed_site()),
            });
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}
