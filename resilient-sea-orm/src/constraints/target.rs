//! Which table a statement writes to: what engines leave out of their errors, the statement
//! often tells.

use sea_orm::DbBackend;
use sqlparser::{
    dialect::{Dialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect},
    keywords::Keyword,
    tokenizer::{Token, Tokenizer, Word},
};

/// The one table that a statement writes to by itself, triggers and cascades aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    /// Rows are added.
    pub(crate) inserts: bool,
    /// Rows are changed.
    pub(crate) updates: bool,
    /// Rows are removed.
    pub(crate) deletes: bool,
}

/// The names that a text calls as functions, and those of tables with a list of columns; words
/// of SQL itself aside. `None` where the text cannot be told apart into words.
pub(crate) fn calls(sql: &str, backend: DbBackend) -> Option<Vec<String>> {
    let tokens = tokens(sql, backend)?;
    let called = tokens.windows(2).filter_map(|pair| match pair {
        [Token::Word(word), Token::LParen] if !is_grammar(word) => Some(word.value.clone()),
        _ => None,
    });
    Some(called.collect())
}

/// All the names in a text, and some words of SQL.
pub(crate) fn names(sql: &str, backend: DbBackend) -> Option<Vec<String>> {
    let tokens = tokens(sql, backend)?;
    let names = tokens.into_iter().filter_map(|token| match token {
        Token::Word(word) if !is_grammar(&word) => Some(word.value),
        _ => None,
    });
    Some(names.collect())
}

/// What every statement holds, and no function can be called without quotes.
fn is_grammar(word: &Word) -> bool {
    const RESERVED: [Keyword; 16] = [
        Keyword::AND,
        Keyword::AS,
        Keyword::EXISTS,
        Keyword::FROM,
        Keyword::IN,
        Keyword::INSERT,
        Keyword::INTO,
        Keyword::KEY,
        Keyword::NOT,
        Keyword::ON,
        Keyword::OR,
        Keyword::SELECT,
        Keyword::SET,
        Keyword::USING,
        Keyword::VALUES,
        Keyword::WHERE,
    ];
    word.quote_style.is_none() && RESERVED.contains(&word.keyword)
}

/// Without what is blank.
fn tokens(sql: &str, backend: DbBackend) -> Option<Vec<Token>> {
    let dialect: &dyn Dialect = match backend {
        DbBackend::MySql => &MySqlDialect {},
        DbBackend::Sqlite => &SQLiteDialect {},
        _ => &PostgreSqlDialect {},
    };
    let mut tokens = Tokenizer::new(dialect, sql).tokenize().ok()?;
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    Some(tokens)
}

/// Which foreign keys of an SQLite table are looked at when the transaction ends, in the order of
/// their declaration.
pub(crate) fn deferred_keys(create_table: &str) -> Option<Vec<bool>> {
    let tokens = tokens(create_table, DbBackend::Sqlite)?;
    let starts = |token: &Token| is(token, Keyword::REFERENCES);
    let keys = tokens.split(starts).skip(1).map(|key| {
        key.windows(3).enumerate().any(|(at, words)| {
            is(&words[0], Keyword::DEFERRABLE)
                && is(&words[1], Keyword::INITIALLY)
                && is(&words[2], Keyword::DEFERRED)
                && !(at > 0 && is(&key[at - 1], Keyword::NOT))
        })
    });
    Some(keys.collect())
}

/// The target of a text that is one INSERT, REPLACE, UPDATE or DELETE of one table.
///
/// Tokens alone, not a syntax tree: a tree is as deep as a condition is long, and dropping it
/// could overflow the stack.
pub(crate) fn target(sql: &str, backend: DbBackend) -> Option<Target> {
    let mut tokens = tokens(sql, backend)?;
    while tokens.last() == Some(&Token::SemiColon) {
        tokens.pop();
    }
    if tokens.contains(&Token::SemiColon) {
        return None;
    }
    let top = top_level(&tokens);
    let verb = top.iter().position(|token| {
        let verbs = [
            Keyword::INSERT,
            Keyword::REPLACE,
            Keyword::UPDATE,
            Keyword::DELETE,
        ];
        verbs.iter().any(|verb| is(token, *verb))
    })?;
    // What may stand before it is the names of a WITH clause.
    if verb > 0 && !is(top[0], Keyword::WITH) {
        return None;
    }
    let (verb, rest) = (top[verb], &top[verb + 1..]);
    if is(verb, Keyword::UPDATE) {
        return update(rest);
    }
    if is(verb, Keyword::DELETE) {
        return delete(rest);
    }
    insert(verb, rest)
}

fn insert(verb: &Token, rest: &[&Token]) -> Option<Target> {
    let into = rest.iter().position(|token| is(token, Keyword::INTO));
    // MySQL's INTO may be left out; what stands before it are single words.
    let (options, name) = match into {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&rest[..0], rest),
    };
    let replaces = is(verb, Keyword::REPLACE) || options.iter().any(|t| is(t, Keyword::REPLACE));
    let (schema, table, tail) = name_of(name)?;
    let upsert = tail.windows(2).any(|pair| {
        is(pair[0], Keyword::ON)
            && (is(pair[1], Keyword::CONFLICT) || is(pair[1], Keyword::DUPLICATE))
    });
    Some(Target {
        schema,
        table,
        inserts: true,
        updates: upsert,
        deletes: replaces,
    })
}

fn update(rest: &[&Token]) -> Option<Target> {
    let set = rest.iter().position(|token| is(token, Keyword::SET))?;
    let mut name = &rest[..set];
    // SQLite's OR ABORT and its kind, MySQL's LOW_PRIORITY and IGNORE, PostgreSQL's ONLY.
    let mut replaces = false;
    loop {
        match name {
            [or, what, tail @ ..] if is(or, Keyword::OR) => {
                replaces |= is(what, Keyword::REPLACE);
                name = tail;
            }
            [option, tail @ ..]
                if [Keyword::LOW_PRIORITY, Keyword::IGNORE, Keyword::ONLY]
                    .iter()
                    .any(|word| is(option, *word)) =>
            {
                name = tail;
            }
            _ => break,
        }
    }
    let (schema, table, tail) = name_of(name)?;
    // Of several tables, nobody can say which.
    let joined = |token: &&Token| **token == Token::Comma || is(token, Keyword::JOIN);
    if tail.iter().any(joined) {
        return None;
    }
    Some(Target {
        schema,
        table,
        inserts: false,
        updates: true,
        deletes: replaces,
    })
}

fn delete(rest: &[&Token]) -> Option<Target> {
    let from = rest.iter().position(|token| is(token, Keyword::FROM))?;
    // `DELETE a, b FROM ..` and `DELETE a FROM a JOIN b`: what stands before FROM may only be
    // an option.
    let option = |token: &&Token| is(token, Keyword::LOW_PRIORITY) || is(token, Keyword::IGNORE);
    if !rest[..from].iter().all(option) {
        return None;
    }
    let name = match &rest[from + 1..] {
        [only, tail @ ..] if is(only, Keyword::ONLY) => tail,
        name => name,
    };
    let (schema, table, tail) = name_of(name)?;
    let joined = |token: &&Token| **token == Token::Comma || is(token, Keyword::JOIN);
    let condition = tail.iter().position(|t| is(t, Keyword::WHERE));
    if tail[..condition.unwrap_or(tail.len())].iter().any(joined) {
        return None;
    }
    Some(Target {
        schema,
        table,
        inserts: false,
        updates: false,
        deletes: true,
    })
}

/// The tokens outside of parentheses.
fn top_level(tokens: &[Token]) -> Vec<&Token> {
    let mut depth = 0_usize;
    tokens
        .iter()
        .filter(|token| {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

/// `a.b.c` at the beginning: its last two parts, and what follows.
fn name_of<'t>(tokens: &'t [&'t Token]) -> Option<(Option<String>, String, &'t [&'t Token])> {
    let (Token::Word(first), mut rest) = tokens.split_first()? else {
        return None;
    };
    let (mut schema, mut table) = (None, first.value.clone());
    while let [Token::Period, Token::Word(part), tail @ ..] = rest {
        schema = Some(std::mem::replace(&mut table, part.value.clone()));
        rest = tail;
    }
    Some((schema, table, rest))
}

/// Whether a token is that word, not in quotes.
fn is(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword && word.quote_style.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `schema.table`, and `i`, `u`, `d` for what is done to it.
    fn shown(sql: &str) -> String {
        for backend in [DbBackend::MySql, DbBackend::Sqlite, DbBackend::Postgres] {
            if let Some(t) = target(sql, backend) {
                let schema = t.schema.map(|s| s + ".").unwrap_or_default();
                let flag = |on: bool, c: &str| if on { c.to_owned() } else { String::new() };
                return format!(
                    "{schema}{} {}{}{}",
                    t.table,
                    flag(t.inserts, "i"),
                    flag(t.updates, "u"),
                    flag(t.deletes, "d"),
                );
            }
        }
        "-".to_owned()
    }

    #[test]
    fn one_table_is_named() {
        for (sql, expected) in [
            ("INSERT INTO `users` (`a`) VALUES (?)", "users i"),
            ("insert ignore into app.users values (1);", "app.users i"),
            ("INSERT users SET a = 1", "users i"),
            ("REPLACE INTO users VALUES (1)", "users id"),
            (
                "INSERT OR REPLACE INTO \"us\"\"ers\" VALUES (1)",
                "us\"ers id",
            ),
            (
                "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1",
                "t iu",
            ),
            (
                "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1",
                "t iu",
            ),
            (
                "WITH x AS (DELETE FROM y) INSERT INTO t SELECT * FROM x",
                "t i",
            ),
            (
                "UPDATE OR REPLACE t SET a = 1 WHERE b IN (SELECT 1)",
                "t ud",
            ),
            ("/* c */ UPDATE app.t AS x SET a = 1, b = 2", "app.t u"),
            ("DELETE FROM t WHERE a = ',' OR (b, c) = (1, 2)", "t d"),
            ("DELETE FROM ONLY t USING (SELECT 1) x", "t d"),
        ] {
            assert_eq!(shown(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_not_certain_is_not_named() {
        for sql in [
            "UPDATE a, b SET a.x = 1",
            "UPDATE a JOIN b USING (id) SET a.x = 1",
            "DELETE a FROM a JOIN b USING (id)",
            "DELETE FROM a, b USING a JOIN b",
            "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
            "SELECT 'INSERT INTO t'",
            "CALL p()",
            "CREATE TABLE t AS SELECT 1",
            "INSERT INTO t VALUES ('unclosed",
            "",
        ] {
            assert_eq!(shown(sql), "-", "{sql}");
        }
    }

    #[test]
    fn functions_that_are_called() {
        let called = |sql| calls(sql, DbBackend::MySql).unwrap();
        assert_eq!(
            called("INSERT INTO t (a) VALUES (f(1), db.g (2), `in`(3), 'h(4)') -- i(5)"),
            ["t", "f", "g", "in"]
        );
        assert_eq!(called("UPDATE t SET a = 1 WHERE b IN (1)"), [""; 0]);
        assert_eq!(
            calls("INSERT INTO t VALUES ('unclosed", DbBackend::MySql),
            None
        );
    }

    #[test]
    fn keys_that_are_put_off() {
        let sql = "CREATE TABLE t (a REFERENCES p DEFERRABLE INITIALLY DEFERRED, \
                   b REFERENCES p, c REFERENCES p (\"references\") NOT DEFERRABLE INITIALLY DEFERRED, \
                   d, FOREIGN KEY (d) REFERENCES p ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, \
                   e REFERENCES p DEFERRABLE INITIALLY IMMEDIATE)";
        let expected = [true, false, false, true, false];
        assert_eq!(deferred_keys(sql).unwrap(), expected);
    }

    #[test]
    fn long_conditions_do_not_overflow_the_stack() {
        let sql = format!("DELETE FROM t WHERE a{}", " OR a".repeat(200_000));
        assert_eq!(shown(&sql), "t d");
    }
}
