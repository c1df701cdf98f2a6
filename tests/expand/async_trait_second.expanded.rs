#[async_trait]
impl<T> Store for &'_ Repo<T> {
    async fn save(&self, text: String) -> Result<usize> {
        static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
            "Repo::save",
            ::resilient_sea_orm::__private::CallOptions::new(),
        );
        let mut __call = ::resilient_sea_orm::__private::call(
            &__SITE,
            &(self.db),
            ::core::option::Option::None,
        );
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let mut __owned0 = ::resilient_sea_orm::__private::Owned::new(text);
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
                async move {
                    if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                        Result<usize>,
                    > {
                        return __output;
                    }
                    { self.keep(text).await }
                }
            };
            let __done = __call.run(__attempt).await;
            match __done.settle().await {
                ::resilient_sea_orm::__private::Step::Done(__result) => return __result,
                ::resilient_sea_orm::__private::Step::Again(__next) => {
                    __call = __next.call();
                }
            }
        }
    }
    async fn other(&self) -> Result<usize> {
        Ok(1)
    }
}
