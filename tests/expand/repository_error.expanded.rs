#[derive(RepositoryError)]
pub enum Tuple {
    NotFound(i64),
    #[resilient(source)]
    Database(resilient_sea_orm::Error),
}
#[automatically_derived]
impl ::core::convert::From<::resilient_sea_orm::__private::Error> for Tuple {
    fn from(__error: ::resilient_sea_orm::__private::Error) -> Self {
        Tuple::Database(::core::convert::Into::into(__error))
    }
}
#[automatically_derived]
impl ::core::convert::From<::resilient_sea_orm::__private::DbErr> for Tuple {
    fn from(__error: ::resilient_sea_orm::__private::DbErr) -> Self {
        let __error = <::resilient_sea_orm::__private::Error as ::core::convert::From<
            _,
        >>::from(__error);
        Tuple::Database(::core::convert::Into::into(__error))
    }
}
#[derive(RepositoryError)]
#[resilient(crate = robust)]
pub enum Named<T: Clone>
where
    T: Send,
{
    Other(T),
    #[resilient(source)]
    Database { source: Arc<robust::Error> },
}
#[automatically_derived]
impl<T: Clone> ::core::convert::From<robust::__private::Error> for Named<T>
where
    T: Send,
{
    fn from(__error: robust::__private::Error) -> Self {
        Named::Database {
            source: ::core::convert::Into::into(__error),
        }
    }
}
#[automatically_derived]
impl<T: Clone> ::core::convert::From<robust::__private::DbErr> for Named<T>
where
    T: Send,
{
    fn from(__error: robust::__private::DbErr) -> Self {
        let __error = <robust::__private::Error as ::core::convert::From<
            _,
        >>::from(__error);
        Named::Database {
            source: ::core::convert::Into::into(__error),
        }
    }
}
#[derive(RepositoryError)]
pub enum FromError {
    #[resilient(source)]
    Database(#[from] Error),
}
#[automatically_derived]
impl ::core::convert::From<::resilient_sea_orm::__private::DbErr> for FromError {
    fn from(__error: ::resilient_sea_orm::__private::DbErr) -> Self {
        let __error = <::resilient_sea_orm::__private::Error as ::core::convert::From<
            _,
        >>::from(__error);
        FromError::Database(::core::convert::Into::into(__error))
    }
}
#[derive(RepositoryError)]
pub enum FromDbErr {
    #[resilient(source)]
    Database(#[from] sea_orm::DbErr),
}
#[automatically_derived]
impl ::core::convert::From<::resilient_sea_orm::__private::Error> for FromDbErr {
    fn from(__error: ::resilient_sea_orm::__private::Error) -> Self {
        let __error = <::resilient_sea_orm::__private::DbErr as ::core::convert::From<
            _,
        >>::from(__error);
        FromDbErr::Database(::core::convert::Into::into(__error))
    }
}
#[derive(RepositoryError)]
pub enum FromBox {
    #[resilient(source)]
    Database(#[from] Box<Error>),
}
#[automatically_derived]
impl ::core::convert::From<::resilient_sea_orm::__private::Error> for FromBox {
    fn from(__error: ::resilient_sea_orm::__private::Error) -> Self {
        FromBox::Database(::core::convert::Into::into(__error))
    }
}
#[automatically_derived]
impl ::core::convert::From<::resilient_sea_orm::__private::DbErr> for FromBox {
    fn from(__error: ::resilient_sea_orm::__private::DbErr) -> Self {
        let __error = <::resilient_sea_orm::__private::Error as ::core::convert::From<
            _,
        >>::from(__error);
        FromBox::Database(::core::convert::Into::into(__error))
    }
}
