//! How calls hold the context that they share.

use std::{ops::Deref, sync::Arc};

use super::Context;
use crate::shards::Shards;

/// A database's [`Context`] as its calls hold it: through one reference count for each few
/// threads, as a single one would be written by all threads in each call.
#[derive(Debug)]
pub struct SharedContext {
    context: Arc<Context>,
    held: Shards<ContextRef>,
}

/// A reference to a context, counted apart from those of other threads.
#[derive(Clone, Debug)]
pub(crate) struct ContextRef(Arc<Held>);

/// 128 bytes, as processors fetch cache lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Held(Arc<Context>);

impl SharedContext {
    /// Shares a context.
    pub fn new(context: impl Into<Arc<Context>>) -> Self {
        Self {
            context: context.into(),
            held: Shards::default(),
        }
    }

    /// A reference for a call that starts on this thread.
    #[inline]
    pub(crate) fn hold(&self) -> ContextRef {
        let make = || ContextRef(Arc::new(Held(Arc::clone(&self.context))));
        self.held.own(make).clone()
    }
}

impl From<Context> for SharedContext {
    fn from(context: Context) -> Self {
        Self::new(context)
    }
}

impl From<Arc<Context>> for SharedContext {
    fn from(context: Arc<Context>) -> Self {
        Self::new(context)
    }
}

impl Deref for SharedContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Deref for ContextRef {
    type Target = Context;

    #[inline]
    fn deref(&self) -> &Context {
        &self.0.0
    }
}
