//! A transaction's turns by key: named by calls, taken before its connection, given back with it.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Frame, committing::boxed, grant::first, ledger::Stage, refusal, transaction::Transaction,
};
use crate::{
    Effect, Fault, FaultKind,
    admission::{Admission, Owner},
    driver::{BeginOptions, Database},
    failure::{DriverError, Failure},
    turns::{HeldTurns, Order, Table, Taking, TurnKeys, Want, global, mix},
};

impl<D: Database> Transaction<D> {
    /// Names turns to be taken before it begins.
    ///
    /// # Errors
    /// When it has begun, or is about to, without them.
    pub(crate) fn name_turns(&self, keys: &TurnKeys) -> Result<(), Failure> {
        let mut ledger = self.ledger();
        let late = ledger.turns.taken || ledger.stage != Stage::Idle;
        let line = ledger.turns.line.get_or_insert_default();
        if line.keys.contain(keys) {
            return Ok(());
        }
        if late {
            return Err(refusal::turns_too_late());
        }
        line.keys.join(keys);
        Ok(())
    }

    /// Waits for the turns that it needs, if any. They are the caller's until the taking
    /// [ends](TakingTurns::end).
    ///
    /// # Errors
    /// When they did not come in time, or would only come after the caller.
    ///
    /// # Cancel safety
    /// Dropping the future gives up what it had taken, and its place in the lines.
    pub(super) async fn take_turns(&self) -> Result<Option<HeldTurns>, Failure> {
        let writer = self.db.context().writer;
        let writer = writer.filter(|_| self.options.takes_write_lock());
        let keys = {
            let mut ledger = self.ledger();
            ledger.turns.taken = true;
            if ledger.turns.line.is_none() && writer.is_none() {
                return Ok(None);
            }
            let line = ledger.turns.line.get_or_insert_default();
            if line.keys.is_empty() && writer.is_none() {
                return Ok(None);
            }
            line.keys.clone()
        };
        let way = self.way(&keys, writer.is_some())?;
        if let Some(line) = &mut self.ledger().turns.line {
            let writer = writer.is_some();
            line.taking = Taking::Waiting { writer };
        }
        let mut order = Order::new(
            keys.clone(),
            self.wanted(&keys, writer, &way),
            self.owner.method,
        );
        if order.proceed() {
            return Ok(Some(order.done()));
        }
        let writer = writer.is_some();
        let held = boxed(self.wait_in_line(order, keys, writer, way)).await?;
        Ok(Some(held))
    }

    /// While this lives, turns are being taken: unless it [ends well](TakingTurns::end), they are
    /// as if nobody had begun to.
    pub(super) fn taking_turns(&self) -> TakingTurns<'_, D> {
        TakingTurns(Some(self))
    }

    /// In the order in which everybody takes them; the only writer's comes last.
    fn wanted(&self, keys: &TurnKeys, writer: Option<u64>, way: &Way) -> Vec<Want> {
        let table = match way {
            Way::Free => global(),
            Way::Within(table) => table,
        };
        let keys = keys.of_database(self.db.context().id).into_iter();
        let keys = keys.map(|key| Want {
            table: Arc::clone(table),
            key,
            writer: false,
        });
        let writer = writer.map(|key| Want {
            table: Arc::clone(global()),
            // No database of its own has this number.
            key: mix(key, 0),
            writer: true,
        });
        keys.chain(writer).collect()
    }

    async fn wait_in_line(
        &self,
        mut order: Order,
        keys: TurnKeys,
        writer: bool,
        way: Way,
    ) -> Result<HeldTurns, Failure> {
        let context = self.db.context();
        self.metrics().turns_waited.add(1);
        let _waiting = Waiting {
            transaction: self,
            since: context.clock.now(),
        };
        let patience = self.db.patience();
        let mut alarm = context.clock.alarm(patience);
        while let Some((met, writers)) = order.met() {
            let holder = met.holder();
            let came = first(pin!(order.wait(met)), alarm.as_mut()).await;
            if came.is_none() {
                return Err(never_came(context.name(), writers, patience, holder()));
            }
            // A branch of the transaction around this one may have begun meanwhile.
            if self.way(&keys, writer)? != way {
                return Err(refusal::turns_in_branch());
            }
            order.proceed();
        }
        Ok(order.done())
    }

    /// Where its turns are to be had, as things stand around it. Whoever has turns and waits for
    /// more could wait for somebody who waits for those.
    fn way(&self, keys: &TurnKeys, writer: bool) -> Result<Way, Failure> {
        let mut way = None;
        let mut at = Frame::current();
        while let Some(frame) = at.take() {
            // The file of one pool's only writer may be another one's too.
            if frame.database != self.db.context().id
                && writer
                && frame.any_scope().and_then(|scope| scope.writer()) == self.db.context().writer
            {
                return Err(refusal::turns_in_branch());
            }
            if frame.database == self.db.context().id
                && let Some(scope) = frame.scope::<D>()
                && !std::ptr::eq(Arc::as_ptr(scope.transaction()), self)
                && let Some(line) = &scope.transaction().ledger().turns.line
            {
                match &line.taking {
                    Taking::Waiting { writer: theirs } => {
                        let both = !(keys.is_empty() || line.keys.is_empty());
                        if both || (writer && *theirs) {
                            return Err(refusal::turns_in_branch());
                        }
                    }
                    Taking::Held(held) if writer && held.writer => {
                        return Err(refusal::turns_in_branch());
                    }
                    Taking::Held(held) if way.is_none() && !keys.is_empty() => {
                        if !held.keys.contain(keys) {
                            return Err(refusal::more_turns());
                        }
                        way = Some(Way::Within(held.within()));
                    }
                    Taking::Named | Taking::Over | Taking::Held(_) => {}
                }
            }
            at.clone_from(&frame.parent);
        }
        Ok(way.unwrap_or(Way::Free))
    }
}

/// The turn of the engine's only writer, for a statement outside of transactions that may write;
/// `None` where writers take no turns. It is to be dropped when the statement has ended.
///
/// # Errors
/// When it did not come in time, or would only come after the caller.
///
/// # Cancel safety
/// Dropping the future leaves the line.
pub async fn writers_turn<D: Database>(db: &Arc<D>) -> Result<Option<HeldTurns>, Failure> {
    if db.context().writer.is_none() {
        return Ok(None);
    }
    let owner = Owner {
        method: Some("a statement"),
        admission: Admission::Off,
        ..Owner::default()
    };
    let alone = Transaction::new(Arc::clone(db), BeginOptions::default(), owner);
    boxed(async move { alone.take_turns().await }).await
}

/// Where turns are to be had.
enum Way {
    /// Among all callers.
    Free,
    /// Among those inside of a transaction that has them.
    Within(Arc<Table>),
}

impl PartialEq for Way {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Free, Self::Free) => true,
            (Self::Within(one), Self::Within(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// A wait, which is measured however it ends.
struct Waiting<'a, D: Database> {
    transaction: &'a Transaction<D>,
    since: Instant,
}

impl<D: Database> Drop for Waiting<'_, D> {
    fn drop(&mut self) {
        let now = self.transaction.db.context().clock.now();
        let waited = now.saturating_duration_since(self.since);
        let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.transaction.metrics().turn_wait_nanos.add(nanos);
    }
}

/// See [`Transaction::taking_turns`].
pub(super) struct TakingTurns<'a, D: Database>(Option<&'a Transaction<D>>);

impl<D: Database> TakingTurns<'_, D> {
    /// There is a session: the turns are given back with it from now on.
    pub(super) fn end(mut self, turns: Option<HeldTurns>) {
        if let Some(transaction) = self.0.take()
            && let (Some(turns), Some(line)) = (turns, &mut transaction.ledger().turns.line)
        {
            line.taking = Taking::Held(turns);
        }
    }
}

impl<D: Database> Drop for TakingTurns<'_, D> {
    fn drop(&mut self) {
        if let Some(transaction) = self.0 {
            let mut ledger = transaction.ledger();
            ledger.turns.taken = false;
            if let Some(line) = &mut ledger.turns.line {
                line.taking = Taking::Named;
            }
        }
    }
}

/// Retried like any other lock that was not had in time.
fn never_came(
    database: &str,
    writer: bool,
    patience: Duration,
    holder: Option<&'static str>,
) -> Failure {
    let what = if writer {
        format!("the turn of the only writer of {database:?}")
    } else {
        "the turn for a key of serialize_by".to_owned()
    };
    let who = holder.unwrap_or("a transaction of begin()");
    let fault = Fault::new(FaultKind::LockTimeout, Effect::Statement);
    Failure::database(DriverError::from(fault).with_advice(format!(
        "{what} did not come within {patience:.1?}, and nothing was sent: {who} has it; hold \
         transactions for a shorter time, and commit or drop one before the same task begins \
         another"
    )))
}
