//! The generated sources.

use std::fmt::Write as _;

use crate::Result;

/// A way to write a method.
pub(super) struct Variant {
    /// Its row.
    pub(super) name: &'static str,
    /// Above the block.
    block: &'static str,
    /// Above each method.
    method: &'static str,
    /// Before and after each method's body.
    around: [&'static str; 2],
}

impl Variant {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            block: "impl Repository {",
            method: "pub",
            around: ["", ""],
        }
    }

    const fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    const fn around(mut self, before: &'static str, after: &'static str) -> Self {
        self.around = [before, after];
        self
    }

    const fn block(mut self, block: &'static str) -> Self {
        self.block = block;
        self
    }
}

/// All of them; the first is what the others are compared with.
pub(super) const VARIANTS: [Variant; 6] = [
    Variant::new("plain"),
    Variant::new("resilient").method("#[resilient] pub"),
    Variant::new("hand").around(
        "let mut left = 3; loop { let result: Result<u64, Error> = async { ",
        " }.await; match result { Err(error) if left > 0 && error.is_transient() => left -= 1, \
         result => return result } }",
    ),
    Variant::new("backon").around(
        "use backon::Retryable as _; (|| async { ",
        " }).retry(backon::ExponentialBuilder::default()).when(Error::is_transient).await",
    ),
    Variant::new("tracing").method("#[tracing::instrument(skip_all)] pub"),
    Variant::new("async-trait")
        .block("#[async_trait::async_trait] impl Methods for Repository {")
        .method(""),
];

const START: &str = "#![allow(unused_imports)]
use std::{future::Future, hint::black_box, pin::Pin};
use resilient_sea_orm::{Error, ResilientConnection, resilient};

pub struct Repository { pub db: ResilientConnection }

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>>;

#[inline(never)]
pub async fn step(_: &ResilientConnection, n: u64) -> Result<u64, Error> {
    std::future::ready(()).await;
    Ok(black_box(n))
}

// In every program, so that what the first annotated method brings along is not told as its cost.
pub struct First { db: ResilientConnection }
impl First {
    #[resilient]
    pub async fn first(&self, n: u64) -> Result<u64, Error> { step(&self.db, n).await }
}
pub static FIRST: for<'a> fn(&'a First, u64) -> Boxed<'a> = |first, n| Box::pin(first.first(n));
";

const BODY: &str = "let a = step(&self.db, n).await?; let b = step(&self.db, a ^ 1).await?; \
     let c = step(&self.db, a + b).await?; let d = step(&self.db, c).await?; \
     let e = step(&self.db, d + n).await?; Ok(a + b + c + d + e)";

/// A program of so many methods; each can be called, so that each is compiled.
pub(super) fn program(variant: &Variant, methods: u32) -> Result<String> {
    let mut text = START.to_owned();
    let signature = |n| format!("async fn method{n}(&self, n: u64) -> Result<u64, Error>");
    if variant.block.contains(" for ") {
        text += "#[async_trait::async_trait] pub trait Methods {\n";
        for n in 0..methods {
            writeln!(text, "{};", signature(n))?;
        }
        text += "}\n";
    }
    writeln!(text, "{}", variant.block)?;
    let [before, after] = variant.around;
    for n in 0..methods {
        let signature = signature(n);
        // Bodies that are equal would become one function.
        let own = format!("let n = n + {n};");
        writeln!(
            text,
            "{} {signature} {{ {before}{own} {BODY}{after} }}",
            variant.method
        )?;
    }
    writeln!(
        text,
        "}}\npub static METHODS: &[for<'a> fn(&'a Repository, u64) -> Boxed<'a>] = &["
    )?;
    for n in 0..methods {
        writeln!(text, "|repository, n| Box::pin(repository.method{n}(n)),")?;
    }
    text += "];\nfn main() { black_box(FIRST); println!(\"{}\", black_box(METHODS).len()); }\n";
    Ok(text)
}

/// The packages that all variants depend on.
pub(super) fn manifest(name: &str, adapter: &str) -> String {
    format!(
        r#"[package]
name = "{name}"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
async-trait = "0.1"
backon = {{ version = "1.6", default-features = false, features = ["tokio-sleep"] }}
resilient-sea-orm = {{ path = "{adapter}", default-features = false, features = ["macros", "runtime-tokio", "sqlx-sqlite"] }}
sea-orm = {{ version = "2.0.4", default-features = false, features = ["macros", "runtime-tokio", "sqlx-sqlite"] }}
tokio = {{ version = "1.40", features = ["rt", "time"] }}
tracing = {{ version = "0.1", features = ["attributes"] }}

[profile.dev]
debug = "line-tables-only"
"#
    )
}

/// A host of SeaORM, with or without us.
pub(super) fn host(name: &str, adapter: Option<&str>) -> String {
    let adapter = adapter.map_or_else(String::new, |path| {
        format!(
            r#"resilient-sea-orm = {{ path = "{path}", default-features = false, features = ["macros", "runtime-tokio", "sqlx-postgres", "sqlx-sqlite"] }}"#
        )
    });
    format!(
        r#"[package]
name = "{name}"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
sea-orm = {{ version = "2.0.4", default-features = false, features = ["macros", "runtime-tokio", "sqlx-postgres", "sqlx-sqlite"] }}
tokio = {{ version = "1.40", features = ["macros", "rt-multi-thread"] }}
{adapter}
"#
    )
}
