//! What a task knows of the call that it is in, kept so that a call which needs none of it does
//! not pay for it.
//!
//! Written out in place of tokio's task-local values: a call has to look at its place after its
//! body has ended, and this one is cheaper to enter.

use std::{
    cell::{Cell, OnceCell},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Waking, Poll},
    time::Instant,
};

use super::Frame;
use crate::{call::Site, driver::ContextRef};

thread_local! {
    static CURRENT: Cell<Option<Slot>> = const { Cell::new(None) };
}

/// A call's place on the task: its frame, or what it is made of once somebody looks.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) context: ContextRef,
    /// `None` where the frame was made at once.
    site: Option<&'static Site>,
    frame: OnceCell<Arc<Frame>>,
}

impl Slot {
    /// A place whose frame is made when it is first looked at.
    #[inline]
    pub(crate) fn later(context: ContextRef, site: &'static Site) -> Self {
        Self {
            context,
            site: Some(site),
            frame: OnceCell::new(),
        }
    }

    pub(crate) fn of(context: ContextRef, frame: Arc<Frame>) -> Self {
        Self {
            context,
            site: None,
            frame: OnceCell::from(frame),
        }
    }

    /// Counts the success of a call that started then, if nobody has looked at its frame.
    pub(crate) fn ends_untouched(&self, started: Option<Instant>) -> bool {
        let (None, Some(site)) = (self.frame.get(), self.site) else {
            return false;
        };
        if let Some(started) = started {
            let took = self.context.clock.now().saturating_duration_since(started);
            site.metrics().succeeded_at_once(took);
        }
        true
    }

    #[inline]
    pub(crate) fn site(&self) -> Option<&'static Site> {
        self.site
    }

    /// The frame, if anybody has looked at it.
    pub(crate) fn seen(&self) -> Option<&Arc<Frame>> {
        self.frame.get()
    }

    /// The frame; `None` only for a place that was given neither.
    pub(crate) fn frame(&self) -> Option<&Arc<Frame>> {
        if let (None, Some(site)) = (self.frame.get(), self.site) {
            let _ = self.frame.set(site.frame(&self.context));
        }
        self.frame.get()
    }
}

/// Looks at the task's place.
#[inline]
fn look<T>(at: impl FnOnce(&Slot) -> T) -> Option<T> {
    // A thread that is ending has none.
    CURRENT
        .try_with(|current| {
            let slot = current.take()?;
            let seen = at(&slot);
            current.set(Some(slot));
            Some(seen)
        })
        .ok()?
}

/// Whether the task is in a call.
#[inline]
pub(crate) fn in_a_call() -> bool {
    look(|_| ()).is_some()
}

/// The frame of the running task.
pub(crate) fn frame() -> Option<Arc<Frame>> {
    look(|slot| slot.frame().map(Arc::clone))?
}

/// Makes a place the task's until it is dropped; the one before is kept in its stead.
pub(crate) struct Entered<'a>(&'a mut Option<Slot>);

impl<'a> Entered<'a> {
    #[inline]
    pub(crate) fn new(slot: &'a mut Option<Slot>) -> Self {
        swap(slot);
        Self(slot)
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        swap(self.0);
    }
}

#[inline]
fn swap(slot: &mut Option<Slot>) {
    // On a thread that is ending there is nothing to run either.
    let _ = CURRENT.try_with(|current| *slot = current.replace(slot.take()));
}

pin_project_lite::pin_project! {
    /// A future with a place of its own, which it is dropped in, too.
    pub(crate) struct InPlace<F> {
        slot: Option<Slot>,
        #[pin]
        body: Option<F>,
    }

    impl<F> PinnedDrop for InPlace<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_some() {
                let _entered = Entered::new(this.slot);
                this.body.set(None);
            }
        }
    }
}

impl<F: Future> InPlace<F> {
    pub(crate) fn new(slot: Slot, body: F) -> Self {
        Self {
            slot: Some(slot),
            body: Some(body),
        }
    }
}

impl<F: Future> Future for InPlace<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let _entered = Entered::new(this.slot);
        match this.body.as_mut().as_pin_mut() {
            Some(body) => {
                let result = body.poll(cx);
                if result.is_ready() {
                    this.body.set(None);
                }
                result
            }
            // As with every `async` block: polled again after its end.
            None => Poll::Pending,
        }
    }
}
