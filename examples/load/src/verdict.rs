//! Whether all money is where it should be.

use std::collections::HashMap;

use reqwest::StatusCode;

use crate::{
    Failure,
    bank::{Bank, Books},
    load::{Customers, Done, Record, settle},
};

/// What was found out when everything was over.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) done: Done,
    /// Transfers that have moved money.
    pub(crate) applied: u64,
    /// Transfers that were refused, and have not.
    pub(crate) refused: u64,
    /// How many there was no certain answer about at first.
    pub(crate) doubtful: u64,
    /// Everything that is wrong.
    pub(crate) wrong: Vec<String>,
    pub(crate) before: Books,
    pub(crate) after: Books,
}

impl Verdict {
    pub(crate) fn holds(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Settles what is in doubt, and holds each account against what its owners were told.
pub(crate) async fn reach(
    bank: &Bank,
    customers: &Customers,
    done: Done,
    before: &Books,
) -> Result<Verdict, Failure> {
    let mut should: HashMap<i64, i64> = HashMap::new();
    for funding in &customers.funding {
        *should.entry(funding.to).or_default() += funding.cents;
    }
    let (mut applied, mut refused, mut doubtful) = (0, 0, 0);
    let mut wrong = Vec::new();
    for record in &done.records {
        doubtful += u64::from(record.answer.is_none());
        if was_applied(bank, record, &mut wrong).await? {
            applied += 1;
            let wanted = &record.wanted;
            *should.entry(wanted.from).or_default() -= wanted.cents;
            *should.entry(wanted.to).or_default() += wanted.cents;
        } else {
            refused += 1;
        }
    }
    for &account in &customers.accounts {
        let (is, should) = (bank.balance(account).await?, should[&account]);
        if is != should {
            wrong.push(format!(
                "account {account} holds {is} cents; its transfers were said to leave {should}"
            ));
        }
    }
    let after = bank.books().await?;
    if after.total_cents != before.total_cents {
        let (then, now) = (before.total_cents, after.total_cents);
        wrong.push(format!("the bank held {then} cents, and now {now}"));
    }
    if !after.balance() {
        let accounts = &after.wrong_accounts;
        wrong.push(format!(
            "the books do not balance, at accounts {accounts:?}"
        ));
    }
    Ok(Verdict {
        done,
        applied,
        refused,
        doubtful,
        wrong,
        before: before.clone(),
        after,
    })
}

/// Whether a transfer has moved money, by what was said, and for certain.
async fn was_applied(
    bank: &Bank,
    record: &Record,
    wrong: &mut Vec<String>,
) -> Result<bool, Failure> {
    let answer = match &record.answer {
        Some(answer) => answer.clone(),
        None => settle(bank, &record.wanted).await?,
    };
    let said = answer.is(StatusCode::CREATED) || answer.is(StatusCode::OK);
    if said && !record.in_doubt {
        return Ok(true);
    }
    let key = record.wanted.key;
    let stored = bank.is_stored(key).await?;
    if stored != said {
        let label = answer.label();
        wrong.push(format!(
            "transfer {key} was answered {label}, and stored is {stored}"
        ));
    }
    Ok(stored)
}
