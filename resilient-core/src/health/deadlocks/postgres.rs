//! `Process 4106 waits for ShareLock on transaction 727; blocked by process 4107.`

use super::{Deadlock, Lock, Participant};

/// Reads the DETAIL of a deadlock's error, in any language, and `relation`, the table that its
/// context may name. The first process is the one that got the error.
///
/// Each line of the text is one wait: its first number is the process that waits, its last the
/// one that it waits for. Nothing in it comes from a user.
pub fn from_postgres_detail(detail: &str, context: Option<&str>) -> Option<Deadlock> {
    let mut participants: Vec<Participant> = detail
        .lines()
        .filter_map(|line| {
            let mut numbers = line
                .split(|c: char| !c.is_ascii_digit())
                .filter(|digits| !digits.is_empty());
            let pid = numbers.next()?.parse().ok()?;
            numbers.next()?;
            Some(Participant {
                pid,
                waits_for: Some(Lock {
                    mode: mode(line).unwrap_or_default().to_owned(),
                    ..Lock::default()
                }),
                ..Participant::default()
            })
        })
        .collect();
    let victim = participants.first_mut()?;
    victim.victim = true;
    if let Some(lock) = &mut victim.waits_for {
        lock.table = context.and_then(relation).map(str::to_owned);
    }
    (participants.len() > 1).then_some(Deadlock {
        at_unix_ms: 0,
        participants,
    })
}

/// The lock's mode, which is not translated: `ShareLock`, `AccessExclusiveLock`.
fn mode(line: &str) -> Option<&str> {
    line.split(|c: char| !c.is_ascii_alphabetic())
        .find(|word| word.ends_with("Lock") && word.len() > "Lock".len())
}

/// The table in `while updating tuple (0,2) in relation "account"`, the last thing in quotes
/// whatever the language.
fn relation(context: &str) -> Option<&str> {
    let line = context.lines().find(|line| line.contains('('))?;
    // French and German put them the other way round.
    let quotes = ['"', '«', '»', '„', '“', '”'];
    let (head, _) = line.rsplit_once(quotes)?;
    let (_, name) = head.rsplit_once(quotes)?;
    Some(name.trim()).filter(|name| !name.is_empty())
}
