//! Unit tests of the rules over several options and the item, without a compiler.

use crate::ctxt::Ctxt;
use crate::{attr, pipeline};

/// The beginnings of the messages for `#[resilient(options)] item`.
fn errors(options: &str, item: &str) -> Vec<String> {
    let ctxt = Ctxt::new();
    let options = attr::parse(&ctxt, options.parse().expect("tokens"));
    pipeline::understand(&ctxt, options, &item.parse().expect("tokens"));
    ctxt.into_messages()
}

/// Expects as many messages as there are beginnings, in this order.
fn expect(options: &str, item: &str, beginnings: &[&str]) {
    let found = errors(options, item);
    assert_eq!(
        found.len(),
        beginnings.len(),
        "{options}: {item}: {found:?}"
    );
    for (found, beginning) in found.iter().zip(beginnings) {
        assert!(found.starts_with(beginning), "{found}");
    }
}

const METHOD: &str = "pub async fn read(&self) -> Result<u32> { Ok(1) }";

/// An impl block around one method.
fn block(method: &str) -> String {
    format!("impl Repo {{ {method} }}")
}

#[test]
fn accepts_methods_and_blocks() {
    for options in [
        "",
        "retries = 0",
        "retries = 0, policy = P",
        "isolation = \"serializable\", propagation = \"required\"",
        "read_only = false, propagation = \"never\"",
        "timeout = \"1s\", deadline = \"1s\"",
    ] {
        expect(options, METHOD, &[]);
        expect(options, &block(METHOD), &[]);
    }
}

#[test]
fn refuses_options_that_exclude_each_other() {
    for (options, beginning) in [
        ("on = [deadlock], retries = 0", "`on` has no effect"),
        ("retries = 0, backoff = none", "`backoff` has no effect"),
        (
            "isolation = \"serializable\", propagation = \"never\"",
            "`isolation` cannot",
        ),
        (
            "propagation = \"mandatory\", isolation = \"serializable\"",
            "`isolation` cannot",
        ),
        (
            "propagation = \"supports\", read_only",
            "`read_only` cannot",
        ),
        (
            "propagation = \"not_supported\", read_only",
            "`read_only` cannot",
        ),
        (
            "propagation = \"mandatory\", admission = \"adaptive\"",
            "`admission` cannot",
        ),
        ("deadline = \"1s\", timeout = \"2s\"", "`timeout` bounds"),
    ] {
        expect(options, METHOD, &[beginning]);
        expect(options, &block(METHOD), &[beginning]);
    }
}

#[test]
fn a_method_may_replace_what_would_not_fit() {
    let never = block(&format!("#[resilient(retries = 0)] {METHOD}"));
    expect("on = [deadlock], backoff = none", &never, &[]);
    let writes = "#[resilient(read_only = false, propagation = \"never\")]";
    expect("read_only", &block(&format!("{writes} {METHOD}")), &[]);
    let useless = block(&format!("#[resilient(on = [deadlock])] {METHOD}"));
    expect("retries = 0", &useless, &["`on` has no effect"]);
}

#[test]
fn refuses_options_in_the_wrong_place() {
    expect(
        "name = \"x\"",
        &block(METHOD),
        &["`name` does not go on an impl block"],
    );
    expect(
        "borrow = [x]",
        &block(METHOD),
        &["`borrow` does not go on an impl block"],
    );
    expect(
        "skip",
        &block(METHOD),
        &["`skip` does not go on an impl block"],
    );
    expect("skip", METHOD, &["`skip` leaves a method"]);
}

#[test]
fn refuses_signatures_that_cannot_be_resilient() {
    for (item, beginnings) in [
        (
            "fn f(&self) -> Result<()> {}",
            &["`#[resilient]` needs an `async fn`"][..],
        ),
        (
            "const fn f(&self) -> Result<()> {}",
            &["a `const fn` cannot"],
        ),
        ("async fn f(&self) {}", &["a resilient function returns"]),
        (
            "async fn f(&self) -> Option<u8> {}",
            &["a resilient function returns"],
        ),
        ("async fn f() -> Result<()> {}", &["no connection found"]),
        (
            "async fn f(&mut self) -> Result<()> {}",
            &["`&mut self` cannot"],
        ),
        (
            "async fn f(self: &mut Self) -> Result<()> {}",
            &["`&mut self` cannot"],
        ),
        (
            "async fn f(&self, x: &mut u8) -> Result<()> {}",
            &["a `&mut` argument"],
        ),
        (
            "fn f(x: &mut u8) {}",
            &[
                "`#[resilient]` needs",
                "a resilient function returns",
                "no connection found",
                "a `&mut` argument",
            ],
        ),
    ] {
        expect("", item, beginnings);
    }
    expect("retries = 0", "async fn f(&mut self) -> Result<()> {}", &[]);
    expect(
        "db = pool",
        "async fn f(pool: &Pool) -> DbResult<()> {}",
        &[],
    );
}

#[test]
fn refuses_names_that_cannot_be_borrowed() {
    let item = "async fn f(self, order: Order, by: &str, (a, b): Pair) -> Result<()> {}";
    expect("borrow = [order]", item, &[]);
    expect(
        "borrow = [oder]",
        item,
        &["unknown argument `oder`, did you mean `order`?"],
    );
    expect("borrow = [by]", item, &["`by` is a reference already"]);
    expect("borrow = [self]", item, &["`self` cannot be named"]);
    expect("borrow = [a]", item, &["unknown argument `a`"]);
}

#[test]
fn refuses_blocks_without_a_method_to_cover() {
    for method in [
        "async fn private(&self) -> Result<()> {}",
        "pub fn plain(&self) -> Result<()> {}",
        "pub async fn sure(&self) -> u32 {}",
        "pub async fn new(url: &str) -> Result<Self> {}",
        "#[resilient(skip)] pub async fn left(&self) -> Result<()> {}",
    ] {
        expect("", &block(method), &["this covers no method"]);
    }
    expect(
        "",
        "impl T for R { async fn f(&self) -> Result<()> {} }",
        &[],
    );
    let asked = "#[resilient] async fn private(&self) -> Result<()> {}";
    expect("", &block(asked), &[]);
}

#[test]
fn refuses_other_items() {
    for item in [
        "struct S;",
        "enum E { A }",
        "trait T {}",
        "mod m {}",
        "const C: u8 = 1;",
        "async fn f(&self) -> Result<()>;",
    ] {
        expect(
            "",
            item,
            &["`#[resilient]` goes on functions and impl blocks only"],
        );
    }
}
