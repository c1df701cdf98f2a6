//! The section `LATEST DETECTED DEADLOCK` of `SHOW ENGINE INNODB STATUS`.

use super::{Deadlock, Lock, Participant};

/// Reads the last deadlock from InnoDB's status, as MySQL and MariaDB write it. `normalise` takes
/// the values out of a statement: the status prints them.
///
/// ```text
/// *** (1) TRANSACTION:
/// TRANSACTION 24, ACTIVE 1 sec starting index read
/// MariaDB thread id 6, OS thread handle 1406, query id 12 127.0.0.1 root Updating
/// update account set v=v+1 where id=1
/// *** WAITING FOR THIS LOCK TO BE GRANTED:
/// RECORD LOCKS space id 5 page no 3 n bits 320 index PRIMARY of table `dl`.`account` trx id 24
///   lock_mode X locks rec but not gap waiting
/// *** WE ROLL BACK TRANSACTION (1)
/// ```
pub fn from_innodb_status(status: &str, normalise: impl Fn(&str) -> String) -> Option<Deadlock> {
    let (_, section) = status.split_once("LATEST DETECTED DEADLOCK\n")?;
    let section = section.split("\nTRANSACTIONS\n").next()?;
    let victim: Option<usize> = section
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("*** WE ROLL BACK TRANSACTION ("))
        .and_then(|rest| rest.split(')').next()?.parse().ok());
    let mut participants = Vec::new();
    let mut rest = section;
    while let Some((number, body, tail)) = next_transaction(rest) {
        let mut participant = transaction(body, &normalise);
        participant.victim = victim == Some(number);
        participants.push(participant);
        rest = tail;
    }
    participants.retain(|participant| participant.pid != 0);
    (participants.len() > 1).then_some(Deadlock {
        at_unix_ms: 0,
        participants,
    })
}

/// `*** (1) TRANSACTION:`, what follows it up to the next one, and the rest.
fn next_transaction(text: &str) -> Option<(usize, &str, &str)> {
    let is_start = |line: &str| line.starts_with("*** (") && line.ends_with(") TRANSACTION:");
    let mut at = 0;
    let mut start = None;
    for line in text.split_inclusive('\n') {
        if is_start(line.trim_end()) {
            if let Some((number, body)) = start {
                return Some((number, &text[body..at], &text[at..]));
            }
            let number = line
                .strip_prefix("*** (")?
                .split(')')
                .next()?
                .parse()
                .ok()?;
            start = Some((number, at + line.len()));
        }
        at += line.len();
    }
    let (number, body) = start?;
    Some((number, &text[body..], ""))
}

fn transaction(body: &str, normalise: &impl Fn(&str) -> String) -> Participant {
    let mut participant = Participant::default();
    let mut lines = body.lines();
    // The statement is what stands between the thread and the first heading.
    for line in lines.by_ref() {
        if let Some((_, id)) = line.split_once(" thread id ") {
            let digits = id.split(|c: char| !c.is_ascii_digit()).next();
            participant.pid = digits.and_then(|d| d.parse().ok()).unwrap_or(0);
            break;
        }
    }
    let mut statement = String::new();
    let mut waiting = false;
    for line in lines {
        if line.starts_with("*** ") {
            waiting = line.contains("WAITING FOR THIS LOCK");
        } else if waiting && participant.waits_for.is_none() {
            participant.waits_for = lock(line);
        } else if !waiting && participant.waits_for.is_none() && !line.contains("RECORD LOCKS") {
            if !statement.is_empty() {
                statement.push('\n');
            }
            statement.push_str(line);
        }
    }
    // MySQL 8 puts the locks that it holds first; their dumps are not part of the statement.
    let statement = statement.split("\nRecord lock,").next().unwrap_or_default();
    if !statement.trim().is_empty() {
        participant.statement = Some(normalise(statement.trim()));
    }
    participant
}

/// ``RECORD LOCKS .. index PRIMARY of table `db`.`t` trx id 24 lock_mode X waiting``, or
/// ``TABLE LOCK table `db`.`t` trx id 24 lock mode IX waiting``.
fn lock(line: &str) -> Option<Lock> {
    let (before, rest) = line.split_once("table `")?;
    let (path, after) = rest.split_once("` trx id ")?;
    let table = path.rsplit("`.`").next().unwrap_or(path).replace("``", "`");
    let index = before
        .split_once(" index ")
        .and_then(|(_, index)| index.split(" of ").next())
        .map(|name| name.trim_matches('`').to_owned());
    let mode = after
        .split_once("lock_mode ")
        .or_else(|| after.split_once("lock mode "))
        .map_or("", |(_, mode)| mode.trim_end_matches("waiting").trim());
    Some(Lock {
        table: Some(table),
        gap: index.is_some() && !mode.contains("locks rec but not gap"),
        index,
        mode: mode.to_owned(),
    })
}
