impl Store for Accounts {
    fn save<'life0, 'async_trait>(
        &'life0 self,
        text: String,
        __arg1: (u8, u8),
    ) -> ::core::pin::Pin<
        Box<
            dyn ::core::future::Future<
                Output = Result<usize>,
            > + ::core::marker::Send + 'async_trait,
        >,
    >
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
                "Accounts::save",
                ::resilient_sea_orm::__private::CallOptions::new()
                    .propagation(::resilient_sea_orm::__private::Propagation::Required)
                    .delay(
                        ::resilient_sea_orm::__private::Delay::exponential(
                            ::core::time::Duration::from_nanos(1000000u64),
                            ::core::time::Duration::from_nanos(1000000000u64),
                            ::resilient_sea_orm::__private::Jitter::Full,
                        ),
                    ),
            );
            let mut __call = ::resilient_sea_orm::__private::call(
                &__SITE,
                &(self.db),
                ::core::option::Option::None,
            );
            #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
            let mut __owned0 = ::resilient_sea_orm::__private::Owned::new(text);
            #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
            #[allow(
                clippy::no_effect_underscore_binding,
                clippy::used_underscore_binding
            )]
            let mut __owned1 = ::resilient_sea_orm::__private::Owned::new(__arg1);
            loop {
                let __last = __call.is_last_attempt();
                #[allow(unused_braces)]
                let __attempt = {
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let text = ::resilient_sea_orm::__private::Owned::replay(
                        &mut __owned0,
                        __last,
                    );
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    #[allow(
                        clippy::no_effect_underscore_binding,
                        clippy::used_underscore_binding
                    )]
                    let __arg1 = ::resilient_sea_orm::__private::Owned::replay(
                        &mut __owned1,
                        __last,
                    );
                    async move {
                        {
                            if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<
                                Result<usize>,
                            > {
                                return __ret;
                            }
                            let __self = self;
                            let mut text = text;
                            let (a, _) = __arg1;
                            let __ret: Result<usize> = {
                                Ok(__self.save(text, a).await?)
                            };
                            __ret
                        }
                    }
                };
                let __done = __call.run(__attempt).await;
                match __done.settle().await {
                    ::resilient_sea_orm::__private::Step::Done(__result) => {
                        return __result;
                    }
                    ::resilient_sea_orm::__private::Step::Again(__next) => {
                        __call = __next.call();
                    }
                }
            }
        })
    }
    fn count(&self) -> usize {
        0
    }
}
