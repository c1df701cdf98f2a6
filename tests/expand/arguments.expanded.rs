impl Accounts {
    #[cfg(feature = "audit")]
    pub(crate) async fn write(
        &self,
        #[cfg(feature = "audit")]
        id: u64,
        memo: String,
        __arg2: Pair,
        text: &str,
        _: Token,
    ) -> Result<u64> {
        static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
            "Accounts::write",
            ::resilient_sea_orm::__private::CallOptions::new(),
        );
        let mut __call = ::resilient_sea_orm::__private::call(
            &__SITE,
            &(self.db),
            ::core::option::Option::None,
        );
        #[cfg(feature = "audit")]
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let mut __owned0 = ::resilient_sea_orm::__private::Owned::new(id);
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let mut __owned1 = ::resilient_sea_orm::__private::Owned::new(memo);
        let mut __owned2 = ::resilient_sea_orm::__private::Owned::new(__arg2);
        loop {
            let __last = __call.is_last_attempt();
            #[allow(unused_braces)]
            let __attempt = {
                #[cfg(feature = "audit")]
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                let id = ::resilient_sea_orm::__private::Owned::replay(
                    &mut __owned0,
                    __last,
                );
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                #[expect(unused_variables)]
                let memo = ::resilient_sea_orm::__private::Owned::replay(
                    &mut __owned1,
                    __last,
                );
                let __arg2 = ::resilient_sea_orm::__private::Owned::replay(
                    &mut __owned2,
                    __last,
                );
                async move {
                    if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                        Result<u64>,
                    > {
                        return __output;
                    }
                    let Pair { left, .. } = __arg2;
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let mut text = text;
                    {
                        text = text.trim();
                        Ok(id + left + text.len() as u64)
                    }
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
}
