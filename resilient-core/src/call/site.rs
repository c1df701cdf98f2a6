//! Where calls come from.

use std::sync::{Arc, OnceLock};

use super::Call;
use crate::{
    CallOptions,
    driver::Database,
    metrics::{self, MethodMetrics},
};

/// A place in the source that makes resilient calls: its name, options and counters.
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    options: CallOptions,
    method: OnceLock<Arc<MethodMetrics>>,
}

impl Site {
    /// A site named `Type::method`, or `method` where the type is told by [`Site::enter`].
    pub const fn new(name: &'static str, options: CallOptions) -> Self {
        Self {
            name,
            options,
            method: OnceLock::new(),
        }
    }

    /// Starts a call. `type_name` completes the name of a method whose type the macro could
    /// not see.
    pub fn enter<D: Database>(
        &self,
        db: Arc<D>,
        type_name: Option<fn() -> &'static str>,
    ) -> Call<D> {
        let method = self.method.get_or_init(|| {
            metrics::global().method(&match type_name {
                None => self.name.to_owned(),
                Some(type_name) => format!("{}::{}", short(type_name()), self.name),
            })
        });
        Call::new(db, Arc::clone(method), self.options)
    }
}

/// `my::module::Repo<T>` as `Repo`.
fn short(type_name: &str) -> &str {
    let bare = type_name.split('<').next().unwrap_or(type_name);
    bare.rsplit("::").next().unwrap_or(bare)
}
