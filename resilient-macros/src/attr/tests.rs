//! Unit tests of the attribute's syntax, without a compiler.

use super::*;

/// Parses, and expects no error.
fn good(text: &str) -> Options {
    let ctxt = Ctxt::new();
    let options = parse(&ctxt, text.parse().expect("tokens"));
    assert_eq!(ctxt.into_messages(), Vec::<String>::new(), "{text}");
    options
}

/// Parses, and expects errors: their first lines.
fn bad(text: &str) -> Vec<String> {
    let ctxt = Ctxt::new();
    parse(&ctxt, text.parse().expect("tokens"));
    ctxt.into_messages()
        .iter()
        .map(|message| message.lines().next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn nothing_is_fine() {
    let options = good("");
    assert_eq!(options.keys, 0);
    assert!(options.may_retry());
}

#[test]
fn reads_every_key() {
    let options = good(
        r#"retries = 5, on = [deadlock, connection], isolation = "serializable", read_only,
           propagation = "required", timeout = "500ms", deadline = "2s",
           backoff = exponential(base = "1ms", jitter = "equal"), policy = policies::PATIENT,
           commit = "verified", admission = "adaptive", db = pool::<A, B>(x, y), borrow = [order],
           serialize_by = (order.from, self.tenant), name = "a.b",
           crate = crate::facade,"#,
    );
    assert_eq!(options.retries.map(|it| it.value), Some(5));
    assert_eq!(
        options.on.map(|it| it.value),
        Some(vec![Faults::Kind("deadlock"), Faults::Group("connection")])
    );
    assert_eq!(options.isolation.map(|it| it.value), Some("serializable"));
    assert_eq!(options.commit.map(|it| it.value), Some("verified"));
    assert_eq!(options.admission.map(|it| it.value), Some("adaptive"));
    assert_eq!(options.read_only.map(|it| it.value), Some(true));
    assert_eq!(options.propagation.map(|it| it.value), Some("required"));
    assert_eq!(options.timeout.map(|it| it.value), Some(500_000_000));
    assert_eq!(options.deadline.map(|it| it.value), Some(2_000_000_000));
    assert_eq!(
        options.backoff.map(|it| it.value),
        Some(Backoff::Exponential {
            base: 1_000_000,
            max: 1_000_000_000,
            jitter: "equal"
        })
    );
    assert!(options.policy.is_some() && options.db.is_some() && options.krate.is_some());
    assert_eq!(options.name.map(|it| it.value).as_deref(), Some("a.b"));
    assert_eq!(options.borrow.map(|it| it.value.len()), Some(1));
    assert_eq!(options.serialize_by.map(|it| it.value.len()), Some(2));
    assert_eq!(options.keys, 16);
}

#[test]
fn reads_every_word() {
    for word in words::FAULT_KINDS.iter().chain(words::FAULT_GROUPS) {
        let on = good(&format!("on = [{word}]")).on.expect("on");
        assert_eq!(on.value[0].name(), *word);
    }
    for (key, values) in [
        ("isolation", words::ISOLATION),
        ("propagation", words::PROPAGATION),
    ] {
        for value in values {
            good(&format!("{key} = \"{value}\""));
        }
    }
    for jitter in words::JITTER {
        good(&format!("backoff = exponential(jitter = \"{jitter}\")"));
    }
    for backoff in [
        "none",
        "fixed(\"1ms\")",
        "exponential",
        "exponential()",
        "exponential(max = \"5s\")",
    ] {
        good(&format!("backoff = {backoff}"));
    }
}

#[test]
fn reads_one_key_or_several() {
    for (text, keys) in [
        ("from", 1),
        ("order.account_id", 1),
        ("(from)", 1),
        ("(from,)", 1),
        ("(from, to)", 2),
        ("((\"order\", id), key(&to))", 2),
        ("each(&ids)", 1),
    ] {
        let options = good(&format!("serialize_by = {text}"));
        assert_eq!(
            options.serialize_by.map(|it| it.value.len()),
            Some(keys),
            "{text}"
        );
    }
}

#[test]
fn reports_every_error_at_once() {
    let errors = bad("retrys = 3, isolation = \"x\", timeout = \"0s\", on = [], retries = 1");
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(
        errors[0],
        "unknown option `retrys`, did you mean `retries`?"
    );
}

#[test]
fn goes_on_after_a_syntax_error() {
    let errors = bad("\"x\", retries 3, deadline(\"2s\"), timeout = , db = ;, on = [nope]");
    assert_eq!(errors.len(), 6, "{errors:?}");
    assert!(errors[5].contains("nope"), "{errors:?}");
}

#[test]
fn refuses_duplicates_once() {
    assert_eq!(
        bad("retries = 1, retries = 2"),
        ["`retries` is given more than once, keep one of them"]
    );
    assert_eq!(bad("retries = \"1\", retries = 2").len(), 2);
    assert_eq!(bad("on = [deadlock, deadlock]").len(), 1);
    assert_eq!(bad("borrow = [a, a]").len(), 1);
    assert_eq!(
        bad("backoff = exponential(base = \"1ms\", base = \"2ms\")").len(),
        1
    );
}

#[test]
fn refuses_wrong_kinds_of_value() {
    for text in [
        "retries",
        "retries = -1",
        "retries = 3.0",
        "retries = 3u8",
        "retries = 99999999999",
        "on",
        "on = deadlock",
        "on = [\"deadlock\"]",
        "isolation = serializable",
        "read_only = 1",
        "propagation",
        "timeout = 2",
        "timeout = 2s",
        "timeout = true",
        "timeout = \"soon\"",
        "deadline",
        "backoff",
        "backoff = \"none\"",
        "backoff = none()",
        "backoff = fixed",
        "backoff = fixed(1)",
        "backoff = fixed(\"0ms\")",
        "backoff = linear",
        "backoff = linear(\"1ms\")",
        "backoff = exponential(\"1ms\")",
        "backoff = exponential(start = \"1ms\")",
        "backoff = exponential(jitter = \"some\")",
        "backoff = exponential(base = \"2s\")",
        "policy = \"x\"",
        "policy",
        "commit = \"sometimes\"",
        "admission = \"on\"",
        "db",
        "db = \"self.db\"",
        "borrow = order",
        "borrow = []",
        "borrow = [1]",
        "serialize_by",
        "serialize_by = [from]",
        "serialize_by = ()",
        "serialize_by = \"from\"",
        "name = x",
        "name = \" \"",
        "crate = \"x\"",
        "skip = true",
    ] {
        assert_eq!(bad(text).len(), 1, "{text}");
    }
}

#[test]
fn a_method_overrides_its_block_key_by_key() {
    let block = good("retries = 3, timeout = \"1s\"");
    let method = good("retries = 0, deadline = \"2s\"");
    let merged = method.over(&block);
    assert!(!merged.may_retry());
    assert_eq!(merged.timeout.map(|it| it.order), Some(1));
    assert_eq!(merged.deadline.map(|it| it.order), Some(3));
    assert_eq!(merged.keys, 4);
}
