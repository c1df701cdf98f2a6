impl Accounts {
    pub async fn transfer(&self, order: Order) -> Result<Receipt> {
        static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
            "Accounts::transfer",
            ::resilient_sea_orm::__private::CallOptions::new().retries(3u32),
        );
        let mut __call = ::resilient_sea_orm::__private::call_in_turn(
            &__SITE,
            &(self.db),
            ::core::option::Option::None,
            ::resilient_sea_orm::__private::TurnKeys::new()
                .and(&(order.from))
                .and(&(self.tenant)),
        );
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let mut __owned0 = ::resilient_sea_orm::__private::Owned::new(order);
        loop {
            let __last = __call.is_last_attempt();
            #[allow(unused_braces)]
            let __attempt = {
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                let order = ::resilient_sea_orm::__private::Owned::replay(
                    &mut __owned0,
                    __last,
                );
                async move {
                    if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                        Result<Receipt>,
                    > {
                        return __output;
                    }
                    { debit(&self.db, order.from).await }
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
    pub async fn close(&self, id: i64) -> Result<()> {
        static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
            "Accounts::close",
            ::resilient_sea_orm::__private::CallOptions::new().retries(0u32),
        );
        let __call = ::resilient_sea_orm::__private::call_in_turn(
            &__SITE,
            &(self.db),
            ::core::option::Option::None,
            ::resilient_sea_orm::__private::TurnKeys::new().and(&(id)),
        );
        #[allow(unused_braces)]
        let __attempt = async move {
            if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                Result<()>,
            > {
                return __output;
            }
            { credit(&self.db, id).await }
        };
        let __done = __call.run(__attempt).await;
        match __done.settle().await {
            ::resilient_sea_orm::__private::Step::Done(__result) => __result,
            ::resilient_sea_orm::__private::Step::Again(_) => {
                ::core::unreachable!("`retries = 0` has one attempt")
            }
        }
    }
}
