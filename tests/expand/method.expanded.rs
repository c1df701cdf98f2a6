impl Unrelated {}
impl Accounts {
    /// Moves money.
    #[must_use]
    pub async fn transfer(
        &self,
        from: i32,
        __arg1: (i32, u8),
        note: String,
        memo: &str,
    ) -> Result<Receipt> {
        static __SITE: ::resilient_sea_orm::__private::Site = ::resilient_sea_orm::__private::Site::new(
            "Accounts::transfer",
            ::resilient_sea_orm::__private::CallOptions::new()
                .retries(3u32)
                .on(
                    ::resilient_sea_orm::__private::FaultSet::NONE
                        .union(::resilient_sea_orm::__private::FaultSet::CONTENTION)
                        .with(::resilient_sea_orm::__private::FaultKind::PoolTimeout),
                )
                .isolation(::resilient_sea_orm::__private::IsolationLevel::Serializable)
                .read_only(),
        );
        let mut __call = ::resilient_sea_orm::__private::call(
            &__SITE,
            &(self.db),
            ::core::option::Option::None,
        );
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let mut __owned0 = ::resilient_sea_orm::__private::Owned::new(from);
        let mut __owned1 = ::resilient_sea_orm::__private::Owned::new(__arg1);
        #[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)]
        let mut __owned2 = ::resilient_sea_orm::__private::Owned::new(note);
        loop {
            let __last = __call.is_last_attempt();
            #[allow(unused_braces)]
            let __attempt = {
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                let from = ::resilient_sea_orm::__private::Owned::replay(
                    &mut __owned0,
                    __last,
                );
                let __arg1 = ::resilient_sea_orm::__private::Owned::replay(
                    &mut __owned1,
                    __last,
                );
                #[allow(
                    clippy::shadow_reuse,
                    clippy::shadow_same,
                    clippy::shadow_unrelated
                )]
                let note = ::resilient_sea_orm::__private::Owned::replay(
                    &mut __owned2,
                    __last,
                );
                async move {
                    if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                        Result<Receipt>,
                    > {
                        return __output;
                    }
                    let (to, _) = __arg1;
                    #[allow(
                        clippy::shadow_reuse,
                        clippy::shadow_same,
                        clippy::shadow_unrelated
                    )]
                    let mut note = note;
                    {
                        note.push_str(memo);
                        debit(&self.db, from, &note).await?;
                        credit(&self.db, to).await
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
    async fn helper(&self) -> Result<()> {
        Ok(())
    }
}
