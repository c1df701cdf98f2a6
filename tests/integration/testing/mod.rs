//! The testing kit: what it injects is what it says, and a sweep finds what is wrong.

mod effects;
mod kinds;
mod plans;
mod reactions;
mod sweeps;
mod wrong;

use resilient_sea_orm::{policy::Delay, prelude::*};

use crate::bank::{Bank, add};

/// One attempt.
const ONCE: TransactOptions = TransactOptions::new().retries(0);

/// Retries without a pause.
const AGAIN: TransactOptions = TransactOptions::new().backoff(Delay::none());

/// A transaction with one write.
async fn writes(bank: &Bank, options: TransactOptions) -> Result<()> {
    bank.db.transact(options, || add(&bank.db, 1, 5)).await
}
