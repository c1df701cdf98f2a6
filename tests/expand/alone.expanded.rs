pub async fn r#type(mut self) -> Result<u32> {
    static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
        "type",
        ::resilient_sea_orm::__private::CallOptions::new()
            .isolation(::resilient_sea_orm::__private::IsolationLevel::RepeatableRead)
            .timeout(::core::time::Duration::from_nanos(500000000u64))
            .deadline(::core::time::Duration::from_nanos(2000000000u64))
            .policy(policies::PATIENT),
    );
    let mut __call = ::resilient_sea_orm::__private::call(
        &__SITE,
        &(self.db),
        ::core::option::Option::Some(::core::any::type_name::<Self>),
    );
    let mut __owned_self = ::resilient_sea_orm::__private::Owned::new(self);
    loop {
        let __last = __call.is_last_attempt();
        #[allow(unused_braces)]
        let __attempt = {
            self = ::resilient_sea_orm::__private::Owned::replay(
                &mut __owned_self,
                __last,
            );
            async move {
                if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                    Result<u32>,
                > {
                    return __output;
                }
                {
                    let this = self;
                    this.count().await
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
