//! What the attribute's expansion calls, without SeaORM: `#[resilient(crate = crate::memory::attribute)]`.

/// See `resilient_sea_orm::__private`.
pub(crate) mod __private {
    use std::sync::Arc;

    use resilient_core::driver::Database;
    pub(crate) use resilient_core::{
        CallOptions,
        call::{Call, Site, Step},
    };

    pub(crate) fn call<D: Database>(
        site: &'static Site,
        db: &Arc<D>,
        type_name: Option<fn() -> &'static str>,
    ) -> Call<D> {
        site.enter(db, type_name)
    }
}
