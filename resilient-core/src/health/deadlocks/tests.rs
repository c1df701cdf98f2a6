use super::*;

/// As MariaDB 10.11 wrote it, some bytes of the rows left out.
const INNODB: &str = "\
=====================================
------------------------
LATEST DETECTED DEADLOCK
------------------------
2026-11-21 14:18:39 0x7fe3e41256c0
*** (1) TRANSACTION:
TRANSACTION 24, ACTIVE 1 sec starting index read
mysql tables in use 1, locked 1
LOCK WAIT 3 lock struct(s), heap size 1128, 2 row lock(s), undo log entries 1
MariaDB thread id 6, OS thread handle 140616760710848, query id 12 127.0.0.1 root Updating
update account set v=v+1 where id=1
*** WAITING FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS space id 5 page no 3 n bits 320 index PRIMARY of table `dl`.`account` trx id 24 lock_mode X locks rec but not gap waiting
Record lock, heap no 2 PHYSICAL RECORD: n_fields 4; compact format; info bits 0
 0: len 4; hex 80000001; asc     ;;

*** CONFLICTING WITH:
RECORD LOCKS space id 5 page no 3 n bits 320 index PRIMARY of table `dl`.`account` trx id 23 lock_mode X locks rec but not gap
Record lock, heap no 2 PHYSICAL RECORD: n_fields 4; compact format; info bits 0
 0: len 4; hex 80000001; asc     ;;


*** (2) TRANSACTION:
TRANSACTION 23, ACTIVE 1 sec starting index read
mysql tables in use 1, locked 1
LOCK WAIT 3 lock struct(s), heap size 1128, 2 row lock(s), undo log entries 1
MySQL thread id 5, OS thread handle 140616761018048, query id 11 127.0.0.1 root updating
update account
  set v=v+1 where email='secret'
*** (2) HOLDS THE LOCK(S):
RECORD LOCKS space id 5 page no 3 n bits 320 index PRIMARY of table `dl`.`account` trx id 23 lock_mode X locks rec but not gap
Record lock, heap no 2 PHYSICAL RECORD: n_fields 4; compact format; info bits 0
*** (2) WAITING FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS space id 5 page no 3 n bits 320 index `by email` of table `dl`.`acc``ount` trx id 23 lock_mode X waiting
Record lock, heap no 3 PHYSICAL RECORD: n_fields 4; compact format; info bits 0
*** WE ROLL BACK TRANSACTION (1)
------------
TRANSACTIONS
------------
MariaDB thread id 99, OS thread handle 1, query id 1 localhost root
";

fn normalise(sql: &str) -> String {
    sql.replace("'secret'", "?")
}

#[test]
fn innodb_says_who_and_over_what() {
    let deadlock = from_innodb_status(INNODB, normalise).unwrap();
    let [first, second] = &*deadlock.participants else {
        panic!("{deadlock:?}");
    };
    assert_eq!((first.pid, first.victim), (6, true));
    assert_eq!((second.pid, second.victim), (5, false));
    assert_eq!(
        first.statement.as_deref(),
        Some("update account set v=v+1 where id=1")
    );
    assert_eq!(
        second.statement.as_deref(),
        Some("update account\n  set v=v+1 where email=?")
    );
    let lock = |p: &Participant| p.waits_for.clone().unwrap();
    let (one, other) = (lock(first), lock(second));
    assert_eq!(one.table.as_deref(), Some("account"));
    assert_eq!(one.index.as_deref(), Some("PRIMARY"));
    assert!(!one.gap);
    assert_eq!(other.table.as_deref(), Some("acc`ount"));
    assert_eq!(other.index.as_deref(), Some("by email"));
    assert_eq!((other.mode.as_str(), other.gap), ("X", true));
}

#[test]
fn what_is_no_deadlock_is_none() {
    assert_eq!(from_innodb_status("", normalise), None);
    assert_eq!(
        from_innodb_status("LATEST DETECTED DEADLOCK\n", normalise),
        None
    );
    let half = &INNODB[..INNODB.find("*** (2) TRANSACTION").unwrap()];
    assert_eq!(from_innodb_status(half, normalise), None);
    assert_eq!(from_postgres_detail("", None), None);
    assert_eq!(from_postgres_detail("Process 1 waits.", None), None);
}

#[test]
fn postgres_says_processes() {
    let detail = "Process 4106 waits for ShareLock on transaction 727; blocked by process 4107.\n\
                  Process 4107 waits for ShareLock on transaction 726; blocked by process 4106.";
    let context = "while updating tuple (0,2) in relation \"account\"";
    let deadlock = from_postgres_detail(detail, Some(context)).unwrap();
    assert_eq!(deadlock.victim().map(|p| p.pid), Some(4106));
    assert_eq!(deadlock.participants[1].pid, 4107);
    assert_eq!(deadlock.tables(), ["account"]);
    let mode = deadlock.participants[0]
        .waits_for
        .as_ref()
        .map(|l| l.mode.as_str());
    assert_eq!(mode, Some("ShareLock"));
}

#[test]
fn postgres_in_german() {
    let detail = "Prozess 17 wartet auf ShareLock-Sperre auf Transaktion 727; blockiert von \
                  Prozess 18.\nProzess 18 wartet auf AccessExclusiveLock-Sperre auf Relation 5 \
                  der Datenbank 6; blockiert von Prozess 17.";
    let context = "beim Aktualisieren von Tupel (0,2) in Relation »account«";
    let deadlock = from_postgres_detail(detail, Some(context)).unwrap();
    assert_eq!(deadlock.participants[0].pid, 17);
    assert_eq!(deadlock.participants[1].pid, 18);
    assert_eq!(deadlock.tables(), ["account"]);
}

fn between(first: &str, second: &str, at_unix_ms: u64, pid: u64) -> Deadlock {
    let participant = |pid, method: &str| Participant {
        pid,
        method: Some(method.to_owned()),
        waits_for: Some(Lock {
            table: Some("account".to_owned()),
            ..Lock::default()
        }),
        victim: pid % 2 == 0,
        ..Participant::default()
    };
    Deadlock {
        at_unix_ms,
        participants: vec![
            participant(2 * pid, first),
            participant(2 * pid + 1, second),
        ],
    }
}

#[test]
fn the_book_counts_and_advises() {
    let book = DeadlockBook::new(DeadlockThresholds {
        medium_per_hour: 2,
        high_per_hour: 3,
    });
    let day = 24 * 3_600_000;
    book.enter(between("A::x", "B::y", 0, 1));
    // Both of its sessions were told of this one.
    book.enter(between("B::y", "A::x", day, 2));
    book.enter(between("B::y", "A::x", day + 5, 2));
    book.enter(between("A::x", "A::x", day + 6, 3));
    let report = book.report(day + 10);
    assert_eq!(
        (report.total, report.last_24_hours, report.last_hour),
        (3, 2, 2)
    );
    assert_eq!(report.severity, Severity::Medium);
    assert_eq!(report.by_method["A::x"], 4);
    assert_eq!(report.by_table["account"], 3);
    assert_eq!(report.pairs[0].methods, ["A::x", "B::y"]);
    assert_eq!(report.pairs[0].count, 2);
    // One of its two was a day ago.
    assert_eq!(
        (report.pairs[0].last_hour, report.pairs[0].severity),
        (1, Severity::Low)
    );
    assert_eq!(report.last[0].at_unix_ms, day + 6);
    assert_eq!(
        report.advice[0].text,
        "A::x and B::y deadlock over rows of account, 2 times so far: let both lock the rows in \
         the same order, that of their key"
    );
    assert!(
        report.advice[1]
            .text
            .starts_with("A::x deadlocks with itself over rows of account, once")
    );
    assert_eq!(book.report(day * 3).severity, Severity::Low);
    assert!(
        serde_json::to_string(&report)
            .unwrap()
            .contains("\"severity\":\"medium\"")
    );
}

#[test]
fn methods_are_named_by_who_has_the_session() {
    let mut deadlock = from_innodb_status(INNODB, normalise).unwrap();
    deadlock.name_methods(|pid| (pid == 6).then(|| "Accounts::transfer".to_owned()));
    assert_eq!(deadlock.methods(), ["Accounts::transfer"]);
    let book = DeadlockBook::default();
    book.enter(deadlock);
    let report = book.report(0);
    assert_eq!(report.pairs[0].methods, ["?", "Accounts::transfer"]);
    assert!(report.pairs[0].gaps);
    let text = &report.advice[0].text;
    assert!(text.contains("with a session of another program"), "{text}");
    assert!(text.contains("read_committed"), "{text}");
}
