::core::compile_error! {
    "unknown option `retrys`, did you mean `retries`?\nexpected one of `retries`, `on`, `isolation`, `read_only`, `propagation`, `timeout`, `deadline`, `backoff`, `policy`, `commit`, `admission`, `db`, `borrow`, `serialize_by`, `name`, `crate`, `skip`"
}
::core::compile_error! {
    "\"0s\" is zero, write a number and one of `ns`, `us`, `ms`, `s`, `m`, `h`, for example \"2s\" or \"1.5s\""
}
::core::compile_error! {
    "unknown isolation \"some\"\nexpected one of \"read_uncommitted\", \"read_committed\", \"repeatable_read\", \"serializable\""
}
::core::compile_error! {
    "`#[resilient]` needs an `async fn`, add `async` before `fn`"
}
::core::compile_error! {
    "a resilient function returns a `Result`, whose error says what failed; write `-> Result<...>`"
}
impl Accounts {
    pub fn read(&self) -> u32 {
        1
    }
    pub async fn other(&self) -> Result<u32> {
        Ok(1)
    }
}
