//! What to do about a pair of methods that deadlock: only what follows from what was seen.

use serde::Serialize;

use super::DeadlockPair;

/// What to do, and about whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Advice {
    /// The methods that it is about.
    pub methods: [String; 2],
    /// What was seen, and what to do.
    pub text: String,
}

pub(super) fn on(pair: &DeadlockPair) -> Advice {
    let [first, second] = &pair.methods;
    let known = first != "?" && second != "?";
    let who = if first == second {
        format!("{first} deadlocks with itself")
    } else if known {
        format!("{first} and {second} deadlock")
    } else {
        let known = if first == "?" { second } else { first };
        format!("{known} deadlocks with a session of another program")
    };
    let where_ = match &*pair.tables {
        [] => String::new(),
        [table] => format!(" over rows of {table}"),
        tables => format!(" over rows of {}", tables.join(" and ")),
    };
    let mut text = format!("{who}{where_}, {} so far: ", times(pair.count));
    match &*pair.tables {
        [_, _, ..] => text.push_str("let both lock the tables in the same order"),
        _ if first == second => text.push_str(
            "let it lock its rows in the order of their key, for instance by sorting the ids \
             before the first write, or by one SELECT .. ORDER BY .. FOR UPDATE at its beginning",
        ),
        _ => text.push_str("let both lock the rows in the same order, that of their key"),
    }
    if pair.gaps {
        text.push_str(
            "; gaps between index entries were locked, which isolation = \"read_committed\" does \
             not do",
        );
    }
    Advice {
        methods: pair.methods.clone(),
        text,
    }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
