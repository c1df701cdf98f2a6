#[resilient(backoff = exponential(base = "1ms"), propagation = "required")]
impl Store for Accounts {
    fn save<'life0, 'async_trait>(
        &'life0 self,
        text: String,
        __arg1: (u8, u8),
    ) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = Result<usize>> + ::core::marker::Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            if let ::core::option::Option::Some(__ret) = ::core::option::Option::None::<Result<usize>> {
                return __ret;
            }
            let __self = self;
            let mut text = text;
            let (a, _) = __arg1;
            let __ret: Result<usize> = { Ok(__self.save(text, a).await?) };
            __ret
        })
    }

    fn count(&self) -> usize {
        0
    }
}
