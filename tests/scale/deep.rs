//! Fifty methods, each nested in the one before.

use resilient_sea_orm::{ResilientConnection, Result, prelude::*};
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult};

use crate::Stand;

struct Repo {
    db: ResilientConnection,
}

/// A chain of methods, each of which writes and calls the next.
macro_rules! chain {
    ($first:ident $($rest:ident)*) => {
        chain! { @method $first, $($rest)* }
    };
    (@method $name:ident, $next:ident $($rest:ident)*) => {
        #[resilient]
        impl Repo {
            pub async fn $name(&self) -> Result<u32> {
                self.db.execute_unprepared("INSERT INTO entry SELECT COUNT(*), 'deep' FROM entry").await?;
                Ok(self.$next().await? + 1)
            }
        }
        chain! { @method $next, $($rest)* }
    };
    (@method $name:ident,) => {
        #[resilient]
        impl Repo {
            pub async fn $name(&self) -> Result<u32> {
                self.db.execute_unprepared("INSERT INTO entry SELECT COUNT(*), 'deep' FROM entry").await?;
                Ok(1)
            }
        }
    };
}

chain! {
    m01 m02 m03 m04 m05 m06 m07 m08 m09 m10
    m11 m12 m13 m14 m15 m16 m17 m18 m19 m20
    m21 m22 m23 m24 m25 m26 m27 m28 m29 m30
    m31 m32 m33 m34 m35 m36 m37 m38 m39 m40
    m41 m42 m43 m44 m45 m46 m47 m48 m49 m50
}

/// On a thread of tokio's, with the stack that those have.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn fifty_nested_methods_fit_on_a_workers_stack_on_sqlite() -> TestResult {
    let stand = Stand::open(Engine::Sqlite, |_| {}).await?;
    let repo = Repo {
        db: stand.db.clone(),
    };
    let sizes = [
        size_of_val(&repo.m50()),
        size_of_val(&repo.m49()),
        size_of_val(&repo.m02()),
        size_of_val(&repo.m01()),
    ];
    let [last, before, second, first] = sizes;
    assert!(before - last < 2048 && first - second < 2048, "{sizes:?}");
    let depth = tokio::spawn(async move { repo.m01().await }).await??;
    assert_eq!(depth, 50);
    assert_eq!(stand.entries().await?, 50);
    Ok(())
}
