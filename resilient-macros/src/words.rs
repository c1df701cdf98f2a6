//! The words that the attribute understands, and help for those it does not.

/// Every key of the attribute, in the order of the documentation.
pub(crate) const KEYS: &[&str] = &[
    "retries",
    "on",
    "isolation",
    "read_only",
    "propagation",
    "timeout",
    "deadline",
    "backoff",
    "policy",
    "commit",
    "admission",
    "db",
    "borrow",
    "serialize_by",
    "name",
    "crate",
    "skip",
];

/// Every fault kind, in the order of `resilient_core::FaultKind::ALL`.
pub(crate) const FAULT_KINDS: &[&str] = &[
    "deadlock",
    "serialization_failure",
    "lock_timeout",
    "statement_timeout",
    "connection_lost",
    "server_unavailable",
    "too_many_connections",
    "pool_timeout",
    "session_expired",
    "pending_rollback",
    "read_only",
    "stale_plan",
    "commit_unknown",
    "unique",
    "foreign_key",
    "not_null",
    "check",
    "exclusion",
    "restrict",
    "data_too_long",
    "numeric_out_of_range",
    "invalid_value",
    "undefined_object",
    "syntax",
    "permission",
    "authentication",
    "resource_exhausted",
    "disk_full",
    "corruption",
    "internal",
    "other",
];

/// The groups of fault kinds; each is a constant of `FaultSet`, in upper case.
pub(crate) const FAULT_GROUPS: &[&str] = &["contention", "connection", "transient"];

/// The values of `isolation`; each is a variant of `IsolationLevel`.
pub(crate) const ISOLATION: &[&str] = &[
    "read_uncommitted",
    "read_committed",
    "repeatable_read",
    "serializable",
];

/// The values of `propagation`; each is a variant of `Propagation`.
pub(crate) const PROPAGATION: &[&str] = &[
    "nested",
    "required",
    "requires_new",
    "mandatory",
    "supports",
    "not_supported",
    "never",
];

/// The values of `commit`.
pub(crate) const COMMIT: &[&str] = &["reported", "verified"];

/// The values of `admission`; each is a variant of `Admission`.
pub(crate) const ADMISSION: &[&str] = &["off", "adaptive"];

/// The values of `jitter`; each is a variant of `Jitter`.
pub(crate) const JITTER: &[&str] = &["none", "full", "equal", "decorrelated"];

/// The forms of `backoff`.
pub(crate) const BACKOFF: &[&str] = &["exponential", "fixed", "none"];

/// The parameters of `backoff = exponential(...)`.
pub(crate) const EXPONENTIAL: &[&str] = &["base", "max", "jitter"];

/// The kinds of constraint; each is a variant of `ConstraintKind`.
pub(crate) const CONSTRAINT_KINDS: &[&str] = &[
    "unique",
    "foreign_key",
    "not_null",
    "check",
    "exclusion",
    "restrict",
];

/// What `#[constraint]` on a struct can say about the entity itself.
pub(crate) const ENTITY_KEYS: &[&str] = &["database", "crate"];

/// The keys of a kind of constraint, in the order of the documentation.
pub(crate) const RULE_KEYS: &[&str] = &[
    "message",
    "code",
    "suggestion",
    "name",
    "columns",
    "by",
    "expose_values",
];

/// What `message` and `suggestion` can have filled in; `value` only with `expose_values`.
pub(crate) const PLACEHOLDERS: &[&str] = &[
    "table",
    "column",
    "columns",
    "constraint",
    "referenced_table",
    "value",
];

/// The keys of `#[soft_delete]` on a struct; on a field it stands alone.
pub(crate) const SOFT_DELETE_KEYS: &[&str] = &["database", "crate"];

/// What columns are often called that say when, or whether, a row was deleted.
pub(crate) const SOFT_DELETE_NAMES: &[&str] = &[
    "deleted_at",
    "is_deleted",
    "deleted",
    "deleted_on",
    "removed_at",
    "archived_at",
];

/// Types of times, which are always there unless they are in an `Option`.
pub(crate) const TIME_TYPES: &[&str] = &[
    "DateTime",
    "DateTimeUtc",
    "DateTimeLocal",
    "DateTimeWithTimeZone",
    "ChronoDateTime",
    "ChronoDateTimeUtc",
    "ChronoDateTimeLocal",
    "ChronoDateTimeWithTimeZone",
    "NaiveDateTime",
    "NaiveDate",
    "Date",
    "TimeDate",
    "TimeDateTime",
    "TimeDateTimeWithTimeZone",
    "OffsetDateTime",
    "PrimitiveDateTime",
];

/// Types that say neither when nor whether a row was deleted.
pub(crate) const UNFIT_TYPES: &[&str] = &[
    "String", "Vec", "f32", "f64", "char", "Uuid", "Json", "Decimal", "Time",
];

/// The keys of `#[resilient]` on an enum with `#[derive(RepositoryError)]`.
pub(crate) const ERROR_KEYS: &[&str] = &["crate"];

/// The keys of `#[resilient]` on one of its variants.
pub(crate) const ERROR_VARIANT_KEYS: &[&str] = &["source"];

/// How alike two words must be for one to be suggested for the other.
const ALIKE: f64 = 0.8;

/// The candidate that `word` most likely stands for.
pub(crate) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace([' ', '-'], "_");
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&word, candidate), *candidate))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// "unknown `what` `word`", the nearest candidate, and on a second line all of them.
///
/// `quote` surrounds each candidate: a back-tick for names, a double quote for string values.
pub(crate) fn unknown(what: &str, word: &str, candidates: &[&str], quote: char) -> String {
    let hint = nearest(word, candidates)
        .map(|near| format!(", did you mean {quote}{near}{quote}?"))
        .unwrap_or_default();
    let all = list(candidates, quote);
    format!("unknown {what} {quote}{word}{quote}{hint}\nexpected one of {all}")
}

/// The candidates, quoted and separated by commas.
pub(crate) fn list(candidates: &[&str], quote: char) -> String {
    let quoted: Vec<String> = candidates
        .iter()
        .map(|candidate| format!("{quote}{candidate}{quote}"))
        .collect();
    quoted.join(", ")
}

/// `lock_timeout` to `LockTimeout`.
pub(crate) fn camel_case(word: &str) -> String {
    word.split('_')
        .flat_map(|part| {
            let (first, rest) = part.split_at(part.len().min(1));
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_word() {
        assert_eq!(nearest("retry", KEYS), Some("retries"));
        assert_eq!(nearest("readonly", KEYS), Some("read_only"));
        assert_eq!(nearest("READ COMMITTED", ISOLATION), Some("read_committed"));
        assert_eq!(nearest("serialisable", ISOLATION), Some("serializable"));
        assert_eq!(nearest("deadlocks", FAULT_KINDS), Some("deadlock"));
        assert_eq!(nearest("zzz", KEYS), None);
    }

    #[test]
    fn writes_variant_names() {
        assert_eq!(camel_case("deadlock"), "Deadlock");
        assert_eq!(camel_case("numeric_out_of_range"), "NumericOutOfRange");
    }
}
