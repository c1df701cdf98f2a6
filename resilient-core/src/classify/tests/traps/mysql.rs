//! `MySQL`, `MariaDB` and what speaks their protocol.

use super::*;

#[test]
fn the_last_for_key_wins() {
    let text = "Duplicate entry 'a' for key 'PRIMARY' for key 'users.email'";
    names(my("1062", text), Some("email"), Some("users"), &[]);
    let text = "Doppelter Eintrag 'a' for key 'PRIMARY' für Schlüssel 'users.email'";
    names(my("1062", text), Some("email"), Some("users"), &[]);
    // An index whose name has a quote in it; an ancient key number; a text from SIGNAL.
    names(
        my("1062", "Duplicate entry 'x' for key 't.o'brien'"),
        Some("o'brien"),
        Some("t"),
        &[],
    );
    names(
        my("1062", "Duplicate entry 'x' for key 'PRIMARY' for key 2"),
        None,
        None,
        &[],
    );
    names(my("1062", "Email taken"), None, None, &[]);
}

#[test]
fn index_names_with_dots() {
    let report = my("1062", "Duplicate entry '7' for key 'a.a.idx'");
    names(report.engine(Engine::MySql), Some("a.idx"), Some("a"), &[]);
    names(report.engine(Engine::MariaDb), Some("a.a.idx"), None, &[]);
    let report = my("1062", "Duplicate entry '7' for key 'my.table.email'");
    names(
        report.table("my.table"),
        Some("email"),
        Some("my.table"),
        &[],
    );
}

#[test]
fn numbers_4025_and_4031_mean_two_things() {
    let check = my("4025", "CONSTRAINT `age_pos` failed for `app`.`users`");
    for report in [
        check,
        check.sqlstate("23000"),
        check.engine(Engine::MariaDb),
    ] {
        is(report, K::Check, Effect::Statement);
    }
    is(
        my("4025", "x").engine(Engine::MySql),
        K::Other,
        Effect::Statement,
    );
    is(
        my("4025", "x").sqlstate("HY000"),
        K::Other,
        Effect::Statement,
    );
    is(my("4031", "x"), K::SessionExpired, Effect::Connection);
    is(
        my("4031", "x").engine(Engine::MySql),
        K::SessionExpired,
        Effect::Connection,
    );
    is(
        my("4031", "x").engine(Engine::MariaDb),
        K::UndefinedObject,
        Effect::Statement,
    );
}

#[test]
fn number_1290_depends_on_the_option() {
    for (text, kind) in [
        (
            "running with the --read-only option so it cannot",
            K::ReadOnly,
        ),
        (
            "Der MariaDB-Server läuft mit der Option --read-only und kann",
            K::ReadOnly,
        ),
        ("MariaDB服务器使用--super_read_only选项运行", K::ReadOnly),
        (
            "running with the --secure-file-priv option so it cannot",
            K::Permission,
        ),
        (
            "running with the --skip-grant-tables option so it cannot",
            K::Permission,
        ),
    ] {
        is(my("1290", text), kind, Effect::Statement);
    }
}

#[test]
fn number_1047_is_galera_or_an_unknown_command() {
    let text = "WSREP has not yet prepared node for application use";
    is(my("1047", text), K::ServerUnavailable, Effect::Statement);
    is(
        my("1047", "Unknown command"),
        K::Internal,
        Effect::Statement,
    );
    is(
        my("1047", "Commande inconnue").engine(Engine::Galera),
        K::ServerUnavailable,
        Effect::Statement,
    );
}

#[test]
fn sqlstates_mislead() {
    is(
        my("1052", "ambiguous").sqlstate("23000"),
        K::Syntax,
        Effect::Statement,
    );
    is(
        my("1265", "truncated").sqlstate("01000"),
        K::InvalidValue,
        Effect::Statement,
    );
    is(
        my("1927", "killed").sqlstate("70100"),
        K::ConnectionLost,
        Effect::Connection,
    );
    // SIGNAL with MYSQL_ERRNO = 1451: the number counts, and nothing is named.
    let signal = my("1451", "users are kept for a year").sqlstate("45000");
    is(signal, K::ForeignKey, Effect::Statement);
    names(signal, None, None, &[]);
}

#[test]
fn inner_numbers_decide_1180_and_1030() {
    let commit = |text| my("1180", text).phase(Phase::Commit);
    is(
        commit("Got error 149 - 'Lock deadlock; Retry transaction' during COMMIT"),
        K::SerializationFailure,
        Effect::Transaction,
    );
    is(
        commit("Modtog fejl 28 mens kommandoen COMMIT blev udført"),
        K::DiskFull,
        Effect::Unknown,
    );
    is(
        commit("Got error 5 - 'Input/output error' during COMMIT"),
        K::CommitUnknown,
        Effect::Unknown,
    );
    is(
        commit("wsrep_max_ws_size exceeded"),
        K::ResourceExhausted,
        Effect::Transaction,
    );
    is(
        my("1030", "Got error 28 from storage engine"),
        K::DiskFull,
        Effect::Statement,
    );
    is(
        my("1030", "Got error 149 from storage engine"),
        K::Deadlock,
        Effect::Transaction,
    );
    is(
        my("1030", "Got error 168 from storage engine"),
        K::Internal,
        Effect::Statement,
    );
    is(
        my(
            "3",
            "Error writing file '/tmp/Errcode: 1' (Errcode: 28 \"No space left\")",
        ),
        K::DiskFull,
        Effect::Statement,
    );
}

#[test]
fn what_is_left_after_lock_errors() {
    is(
        my("1213", "Deadlock found"),
        K::Deadlock,
        Effect::Transaction,
    );
    is(
        my("1205", "Lock wait timeout"),
        K::LockTimeout,
        Effect::Statement,
    );
    is(
        my("1205", "x").transaction_open(false),
        K::LockTimeout,
        Effect::Transaction,
    );
    is(
        my("1205", "x").phase(Phase::Commit),
        K::LockTimeout,
        Effect::Transaction,
    );
    is(
        my("1020", "Record has changed").engine(Engine::MariaDb),
        K::SerializationFailure,
        Effect::Transaction,
    );
    is(
        my("1020", "Record has changed").engine(Engine::MySql),
        K::SerializationFailure,
        Effect::Statement,
    );
    is(
        my("2013", "Lost connection").phase(Phase::Commit),
        K::CommitUnknown,
        Effect::Unknown,
    );
}

/// The parentheses around a foreign key are wide in Chinese; those inside it are not.
#[test]
fn a_foreign_key_in_chinese() {
    let text = "无法添加或更新子行：外键约束失败（`db`.`t`, CONSTRAINT `fk` FOREIGN KEY (`p`) \
                REFERENCES `q` (`id`)）";
    names(my("1452", text), Some("fk"), Some("t"), &["p"]);
}
