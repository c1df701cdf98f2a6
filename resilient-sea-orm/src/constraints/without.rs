//! Without an engine nothing can be violated: mocks make their errors up.

use resilient_core::driver::Context;
use sea_orm::{DatabaseConnection, DbErr};

#[derive(Debug)]
pub(crate) struct Schema;

impl Schema {
    pub(crate) fn new(_: &Context, _: DatabaseConnection) -> Self {
        Self
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn note(&self, _: &str) -> bool {
        false
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn forget(&self) {}
}

#[allow(clippy::unused_async)]
pub(crate) async fn identify(
    _: &std::sync::Arc<Schema>,
    _: Option<&mut crate::session::Session>,
    _: Option<crate::session::Request<'_>>,
    _: &DbErr,
    fault: resilient_core::Fault,
    _: std::time::Duration,
) -> (resilient_core::Fault, bool) {
    (fault, true)
}
