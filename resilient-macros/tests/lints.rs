//! Expansions trigger no lint in a crate that denies them all; `cargo clippy` on this file is the
//! test.
#![allow(missing_docs)]

extern crate self as resilient_sea_orm;

#[allow(
    unreachable_pub,
    dead_code,
    unused_imports,
    missing_debug_implementations,
    clippy::pedantic,
    clippy::new_without_default,
    clippy::expect_used
)]
mod fake;

pub use fake::{__private, prelude};

pub mod user {
    #![deny(
        warnings,
        clippy::all,
        clippy::pedantic,
        clippy::nursery,
        clippy::cargo
    )]
    #![allow(clippy::multiple_crate_versions, reason = "not about code")]
    #![deny(
        unused,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::shadow_unrelated
    )]
    #![deny(
        clippy::shadow_same,
        clippy::shadow_reuse,
        clippy::let_underscore_untyped
    )]
    #![deny(clippy::unreachable, clippy::panic, clippy::pattern_type_mismatch)]
    #![deny(clippy::implicit_return, clippy::question_mark_used)]
    #![deny(clippy::allow_attributes, clippy::allow_attributes_without_reason)]
    #![allow(
        clippy::implicit_return,
        clippy::question_mark_used,
        reason = "of the user's own"
    )]

    use std::sync::Arc;

    use crate::prelude::{Error, ResilientConnection, Result, resilient};

    #[derive(Clone, Debug)]
    pub struct Repo {
        db: ResilientConnection,
    }

    #[derive(Debug)]
    pub struct Token(String);

    #[resilient(retries = 2, on = [contention], timeout = "1s", backoff = none)]
    impl Repo {
        #[must_use]
        pub const fn new(db: ResilientConnection) -> Self {
            Self { db }
        }

        /// On one line.
        ///
        /// # Errors
        ///
        /// Never.
        #[rustfmt::skip]
        pub async fn one_line(&self) -> Result<u32> { Ok(7) }

        /// Moves money.
        ///
        /// # Errors
        ///
        /// Whenever.
        pub async fn patterns(&self, (a, mut b): (u32, u32), mut c: u32, &d: &u32) -> Result<u32> {
            b += 1;
            c += 1;
            Ok(a + b + c + d)
        }

        /// # Errors
        ///
        /// Whenever.
        #[resilient(borrow = [_token])]
        pub async fn ignores(
            &self,
            _text: String,
            _: Vec<u8>,
            _token: Token,
            mut _list: Vec<u8>,
            _more: &str,
        ) -> Result<usize> {
            self.helper("").await
        }

        /// Only reads its argument.
        ///
        /// # Errors
        ///
        /// Whenever.
        pub async fn by_value(&self, text: String, list: Vec<u8>) -> Result<usize> {
            Ok(text.len() + list.len())
        }

        /// # Errors
        ///
        /// Whenever.
        #[resilient(borrow = [token])]
        pub async fn borrowed(&self, token: Token) -> Result<usize> {
            Ok(token.0.len())
        }

        /// # Errors
        ///
        /// Whenever.
        #[resilient(retries = 0)]
        pub async fn once(&mut self, mut token: Token, out: &mut Vec<String>) -> Result<()> {
            token.0.push('x');
            out.push(token.0);
            Ok(())
        }

        /// # Errors
        ///
        /// Whenever.
        pub async fn consumed(self) -> Result<Self> {
            Ok(self)
        }

        /// # Errors
        ///
        /// Whenever.
        pub async fn unused(self: Arc<Self>) -> Result<()> {
            Ok(())
        }

        /// # Errors
        ///
        /// Whenever.
        #[tracing::instrument(skip(self, text))]
        pub async fn traced(
            &self,
            text: &str,
            #[expect(unused, reason = "on purpose")] more: u8,
        ) -> Result<usize> {
            self.helper(text).await
        }

        /// # Errors
        ///
        /// Whenever.
        #[expect(clippy::large_stack_arrays, reason = "makes the future large")]
        pub async fn large(&self) -> Result<u8> {
            let bytes = [1_u8; 17_000];
            self.helper("").await?;
            bytes.first().copied().ok_or_else(|| Error(String::new()))
        }

        /// # Errors
        ///
        /// Whenever.
        pub async fn items(&self) -> Result<u8> {
            const ONE: u8 = 1;
            if self.helper("").await? == 0 {
                return Ok(ONE);
            }
            Ok(2)
        }

        /// # Errors
        ///
        /// Whenever.
        #[rustfmt::skip]
        pub async fn long(&self) -> Result<usize> {
            self.helper("1").await?; self.helper("1").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("2").await?;
            self.helper("9").await
        }

        async fn helper(&self, text: &str) -> Result<usize> {
            std::future::ready(&self.db).await;
            Ok(text.len())
        }
    }

    #[async_trait::async_trait]
    pub trait Store {
        async fn save(&self, text: String, pair: (u8, u8)) -> Result<usize>;
    }

    #[resilient]
    #[async_trait::async_trait]
    impl Store for Repo {
        async fn save(&self, mut text: String, (a, _): (u8, u8)) -> Result<usize> {
            text.push('x');
            Ok(self.helper(&text).await? + usize::from(a))
        }
    }

    #[derive(Debug)]
    pub struct Other {
        db: ResilientConnection,
    }

    #[async_trait::async_trait]
    #[resilient]
    impl Store for Other {
        async fn save(&self, mut text: String, (a, _): (u8, u8)) -> Result<usize> {
            text.push('x');
            Ok(text.len() + usize::from(a))
        }
    }

    /// Free.
    ///
    /// # Errors
    ///
    /// Whenever.
    #[resilient(db = pool)]
    pub async fn free(pool: &ResilientConnection, list: Vec<u8>) -> Result<Vec<u8>> {
        std::future::ready(pool).await;
        Ok(list)
    }
}
