pub async fn import(
    pool: &ResilientConnection,
    mut token: Token,
    out: &mut Vec<u8>,
) -> Result<()> {
    static __SITE: crate::runtime::__private::Site = crate::runtime::__private::Site::new(
        "import",
        crate::runtime::__private::CallOptions::new().retries(0u32),
    );
    let mut __call = crate::runtime::__private::call(
        &__SITE,
        &(pool),
        ::core::option::Option::None,
    );
    let __scope = match __call.begin().await {
        ::core::result::Result::Ok(__scope) => __scope,
        ::core::result::Result::Err(__error) => {
            return ::core::result::Result::Err(::core::convert::From::from(__error));
        }
    };
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
    let __result: Result<()> = __scope.run(__attempt).await;
    match __call.settle(__scope, __result).await {
        crate::runtime::__private::Step::Done(__result) => __result,
        crate::runtime::__private::Step::Again => {
            ::core::unreachable!("`retries = 0` has one attempt")
        }
    }
}
