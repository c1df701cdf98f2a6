pub async fn import(
    pool: &ResilientConnection,
    mut token: Token,
    out: &mut Vec<u8>,
) -> Result<()> {
    static __SITE: crate::runtime::__private::Site = crate::runtime::__private::Site::new(
        "import",
        crate::runtime::__private::CallOptions::new().retries(0u32),
    );
    let __call = crate::runtime::__private::call(
        &__SITE,
        &(pool),
        ::core::option::Option::None,
    );
    #[allow(unused_braces)]
    let __attempt = async move {
        if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
            Result<()>,
        > {
            return __output;
        }
        {
            out.push(token.next());
            Ok(())
        }
    };
    let __done = __call.run(__attempt).await;
    match __done.settle().await {
        crate::runtime::__private::Step::Done(__result) => __result,
        crate::runtime::__private::Step::Again(_) => {
            ::core::unreachable!("`retries = 0` has one attempt")
        }
    }
}
