async fn spend<T: Clone>(
    mut self: Arc<Self>,
    token: Token,
    note: T,
) -> Result<impl Iterator<Item = T>, MyError> {
    static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
        "tokens",
        ::resilient_sea_orm::__private::CallOptions::new(),
    );
    let mut __call = ::resilient_sea_orm::__private::call(
        &__SITE,
        &(self.pool),
        ::core::option::Option::None,
    );
    let mut __owned_self = ::resilient_sea_orm::__private::Owned::new(self);
    #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
    let token = &token;
    #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
    let mut __owned1 = ::resilient_sea_orm::__private::Owned::new(note);
    loop {
        let __last = __call.is_last_attempt();
        #[allow(unused_braces)]
        let __attempt = {
            self = ::resilient_sea_orm::__private::Owned::replay(
                &mut __owned_self,
                __last,
            );
            #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
            let note = ::resilient_sea_orm::__private::Owned::replay(
                &mut __owned1,
                __last,
            );
            async move {
                if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                    Result<_, MyError>,
                > {
                    return __output;
                }
                {
                    token.spend(&self.pool, &note).await?;
                    Ok(iter::once(note))
                }
            }
        };
        let __done = __call.run(__attempt).await;
        match __done.settle().await {
            ::resilient_sea_orm::__private::Step::Done(__result) => return __result,
            ::resilient_sea_orm::__private::Step::Again(__next) => __call = __next.call(),
        }
    }
}
