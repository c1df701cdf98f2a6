//! Transaction control as SQL text. Each list of steps becomes one text, so one round trip.

use std::{fmt::Write as _, time::Duration};

use resilient_core::driver::{BeginOptions, Control, Locking};
use sea_orm::DbBackend;

use crate::commit::MarkerTable;

/// What a session has to undo at the end of a transaction that began with these options.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Restore {
    query_only: bool,
    time_limit: bool,
    lock_limit: bool,
}

/// The text of `steps`, separated by semicolons.
pub(crate) fn sql(
    steps: &[Control],
    backend: DbBackend,
    markers: &MarkerTable,
    restore: &mut Restore,
) -> String {
    let mut text = String::new();
    for step in steps {
        if !text.is_empty() {
            text.push(';');
        }
        match step {
            Control::Begin(options) => begin(&mut text, *options, backend, restore),
            Control::Savepoint(n) => push(&mut text, format_args!("SAVEPOINT resilient_{n}")),
            Control::Release(n) => {
                push(&mut text, format_args!("RELEASE SAVEPOINT resilient_{n}"));
            }
            Control::RollbackTo(n) => push(
                &mut text,
                format_args!("ROLLBACK TO SAVEPOINT resilient_{n};RELEASE SAVEPOINT resilient_{n}"),
            ),
            Control::Commit => end(&mut text, "COMMIT", true, backend, restore),
            Control::CommitVerified(token) => {
                marked_commit(&mut text, &markers.mark(*token, backend), backend, restore);
            }
            Control::Rollback => end(&mut text, "ROLLBACK", false, backend, restore),
            Control::RollbackChecked => end(&mut text, "ROLLBACK", true, backend, restore),
        }
    }
    text
}

/// The same as a list, where each statement has to be a message of its own.
///
/// In a Galera cluster another node's write can take a transaction's locks away at any time. The
/// server says so in answer to a message, but not between the statements of one: what follows in
/// it would run outside of the transaction, and a COMMIT of nothing does well.
pub(crate) fn separate(text: &str) -> Vec<&str> {
    let mut quote = None;
    text.split(move |c| {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            None => return c == ';',
        }
        false
    })
    .collect()
}

fn push(text: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(args);
}

fn begin(text: &mut String, options: BeginOptions, backend: DbBackend, restore: &mut Restore) {
    match backend {
        DbBackend::Postgres => {
            text.push_str("BEGIN");
            if let Some(isolation) = options.isolation {
                push(text, format_args!(" ISOLATION LEVEL {}", isolation.sql()));
            }
            if options.read_only {
                text.push_str(" READ ONLY");
            }
            if let Some(left) = options.time_left {
                postgres_limit(text, left);
            }
            if let Some(limit) = options.lock_timeout {
                postgres_lock_limit(text, limit);
            }
        }
        DbBackend::MySql => {
            if let Some(left) = options.time_left {
                mariadb_limit(text, left);
                restore.time_limit = true;
            }
            if let Some(limit) = options.lock_timeout {
                innodb_lock_limit(text, limit);
                restore.lock_limit = true;
            }
            if let Some(isolation) = options.isolation {
                push(
                    text,
                    format_args!("SET TRANSACTION ISOLATION LEVEL {};", isolation.sql()),
                );
            }
            text.push_str("START TRANSACTION");
            if options.read_only {
                text.push_str(" READ ONLY");
            }
            push(text, format_args!(";SAVEPOINT {GUARD}"));
        }
        // SQLite is always serializable, and enforces read-only through a pragma.
        _ => {
            restore.query_only = options.read_only;
            text.push_str(match (options.read_only, options.locking) {
                (true, _) => "PRAGMA query_only=1;BEGIN DEFERRED",
                (false, Locking::Deferred) => "BEGIN DEFERRED",
                (false, Locking::Exclusive) => "BEGIN EXCLUSIVE",
                (false, _) => "BEGIN IMMEDIATE",
            });
        }
    }
}

/// The server's own limit for each statement, unless the session's is shorter already.
fn postgres_limit(text: &mut String, left: Duration) {
    let ms = milliseconds(left);
    push(
        text,
        format_args!(
            ";SELECT set_config('statement_timeout',CASE WHEN setting::bigint BETWEEN 1 AND {ms} \
             THEN setting ELSE '{ms}' END,true) FROM pg_settings WHERE name='statement_timeout'"
        ),
    );
}

/// The same for locks. The setting is shown with its unit, as in `20s` or `2min`, which reads as
/// an interval; the view of all settings would cost more than the rest of BEGIN.
fn postgres_lock_limit(text: &mut String, limit: Duration) {
    let ms = milliseconds(limit);
    push(
        text,
        format_args!(
            ";SELECT set_config('lock_timeout',CASE WHEN current_setting('lock_timeout')::interval \
             BETWEEN '1ms' AND '{ms}ms' THEN current_setting('lock_timeout') ELSE '{ms}ms' END,true)"
        ),
    );
}

fn milliseconds(limit: Duration) -> u128 {
    limit.as_millis().clamp(1, i32::MAX as u128)
}

/// How long InnoDB waits for a lock, in whole seconds, unless the session's limit is shorter.
fn innodb_lock_limit(text: &mut String, limit: Duration) {
    let seconds = limit.as_secs_f64().ceil().clamp(1.0, 1_073_741_824.0);
    push(
        text,
        format_args!(
            "SET @resilient_lock=@@session.innodb_lock_wait_timeout,\
             @@session.innodb_lock_wait_timeout=LEAST(@@session.innodb_lock_wait_timeout,{seconds:.0});"
        ),
    );
}

/// The same on MariaDB, in a comment that only MariaDB runs; MySQL has no such limit for
/// statements that write.
fn mariadb_limit(text: &mut String, left: Duration) {
    let seconds = left.as_secs_f64().clamp(0.001, 31_536_000.0);
    push(
        text,
        format_args!(
            "SET @resilient_limit=0/*M!100100 +@@session.max_statement_time,\
             @@session.max_statement_time=IF(@@session.max_statement_time BETWEEN 0.000001 AND \
             {seconds:.6},@@session.max_statement_time,{seconds:.6})*/;"
        ),
    );
}

/// A savepoint that exists for as long as a MySQL transaction is the one that was begun. A
/// stored routine can swallow a deadlock, or commit, without anything of it reaching us; the end
/// of the transaction then finds the savepoint gone (error 1305) and goes no further.
const GUARD: &str = "resilient_0";

/// The marker goes after MySQL's guard: in a transaction that had ended before, it would be
/// stored by itself. On PostgreSQL it also keeps an aborted transaction from its COMMIT.
fn marked_commit(text: &mut String, mark: &str, backend: DbBackend, restore: &mut Restore) {
    if backend == DbBackend::Postgres {
        push(text, format_args!("{mark};COMMIT"));
        return;
    }
    let mut commit = String::new();
    end(&mut commit, "COMMIT", true, backend, restore);
    let before = commit.len() - "COMMIT".len();
    push(text, format_args!("{}{mark};COMMIT", &commit[..before]));
}

fn end(text: &mut String, word: &str, checked: bool, backend: DbBackend, restore: &mut Restore) {
    if restore.query_only {
        // Before the end, as what follows an error is not executed, and a rollback without a
        // transaction is one.
        text.push_str("PRAGMA query_only=0;");
    }
    if backend == DbBackend::MySql && restore.time_limit {
        text.push_str(
            "SET @resilient_done=0/*M!100100 ,@@session.max_statement_time=@resilient_limit*/;",
        );
    }
    if backend == DbBackend::MySql && restore.lock_limit {
        text.push_str("SET @@session.innodb_lock_wait_timeout=@resilient_lock;");
    }
    match (backend, word, checked) {
        // COMMIT of an aborted transaction is answered with success; any other statement in
        // it is an error, and stops the text before COMMIT.
        (DbBackend::Postgres, "COMMIT", _) => text.push_str("SELECT 1;"),
        (DbBackend::MySql, "COMMIT", _) => push(text, format_args!("RELEASE SAVEPOINT {GUARD};")),
        (DbBackend::MySql, _, true) => push(text, format_args!("ROLLBACK TO SAVEPOINT {GUARD};")),
        _ => {}
    }
    text.push_str(word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use resilient_core::IsolationLevel;

    fn text(steps: &[Control], backend: DbBackend) -> String {
        sql(
            steps,
            backend,
            &MarkerTable::default(),
            &mut Restore::default(),
        )
    }

    #[test]
    fn begin_is_one_text_with_everything_it_needs() {
        let begin = Control::Begin(BeginOptions {
            isolation: Some(IsolationLevel::Serializable),
            read_only: true,
            ..BeginOptions::default()
        });
        assert_eq!(
            text(&[begin, Control::Savepoint(1)], DbBackend::Postgres),
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;SAVEPOINT resilient_1"
        );
        assert_eq!(
            text(&[begin], DbBackend::MySql),
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;START TRANSACTION READ ONLY;\
             SAVEPOINT resilient_0"
        );
        assert_eq!(
            text(&[begin], DbBackend::Sqlite),
            "PRAGMA query_only=1;BEGIN DEFERRED"
        );
    }

    #[test]
    fn a_limit_for_locks_goes_out_with_begin_and_is_put_back() {
        let begin = Control::Begin(BeginOptions {
            lock_timeout: Some(Duration::from_millis(1_500)),
            ..BeginOptions::default()
        });
        let mut restore = Restore::default();
        let mut sent = |step, backend| {
            let markers = MarkerTable::default();
            sql(&[step], backend, &markers, &mut restore)
        };
        assert_eq!(
            sent(begin, DbBackend::Postgres),
            "BEGIN;SELECT set_config('lock_timeout',CASE WHEN \
             current_setting('lock_timeout')::interval BETWEEN '1ms' AND '1500ms' THEN \
             current_setting('lock_timeout') ELSE '1500ms' END,true)"
        );
        assert_eq!(sent(begin, DbBackend::Sqlite), "BEGIN IMMEDIATE");
        assert_eq!(
            sent(begin, DbBackend::MySql),
            "SET @resilient_lock=@@session.innodb_lock_wait_timeout,\
             @@session.innodb_lock_wait_timeout=LEAST(@@session.innodb_lock_wait_timeout,2);\
             START TRANSACTION;SAVEPOINT resilient_0"
        );
        assert_eq!(
            sent(Control::Commit, DbBackend::MySql),
            "SET @@session.innodb_lock_wait_timeout=@resilient_lock;\
             RELEASE SAVEPOINT resilient_0;COMMIT"
        );
    }

    #[test]
    fn statements_are_told_apart_but_not_inside_of_names() {
        assert_eq!(
            separate("RELEASE SAVEPOINT a;INSERT INTO `x;``y` VALUES (X'00');COMMIT"),
            [
                "RELEASE SAVEPOINT a",
                "INSERT INTO `x;``y` VALUES (X'00')",
                "COMMIT"
            ]
        );
    }

    #[test]
    fn a_marker_goes_after_the_guard_and_before_commit() {
        let token = "0123456789abcdef0123456789abcdef".parse();
        let commit = Control::CommitVerified(token.expect("a token"));
        assert_eq!(
            text(&[commit], DbBackend::MySql),
            "RELEASE SAVEPOINT resilient_0;INSERT INTO `resilient_commits` (token,fenced) VALUES \
             (X'0123456789abcdef0123456789abcdef',FALSE);COMMIT"
        );
        assert_eq!(
            text(&[commit], DbBackend::Postgres),
            "INSERT INTO \"resilient_commits\" (token,fenced) VALUES \
             (decode('0123456789abcdef0123456789abcdef','hex'),FALSE);COMMIT"
        );
    }

    #[test]
    fn what_begin_changed_is_restored_at_the_end() {
        let mut restore = Restore::default();
        let options = BeginOptions {
            read_only: true,
            ..BeginOptions::default()
        };
        let mut sent = |step| {
            let markers = MarkerTable::default();
            sql(&[step], DbBackend::Sqlite, &markers, &mut restore)
        };
        sent(Control::Begin(options));
        assert_eq!(sent(Control::Rollback), "PRAGMA query_only=0;ROLLBACK");
    }

    #[test]
    fn a_failed_savepoint_is_released_in_the_same_round_trip() {
        assert_eq!(
            text(&[Control::RollbackTo(2)], DbBackend::Sqlite),
            "ROLLBACK TO SAVEPOINT resilient_2;RELEASE SAVEPOINT resilient_2"
        );
    }
}
