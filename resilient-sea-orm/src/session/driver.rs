//! What core asks of a connection: control, what it says of itself, and how it is given back.

use std::sync::Arc;

use resilient_core::{
    DriverError,
    driver::{Control, Disposal},
    health::{Closing, Lease},
    time::Spare,
    turns::HeldTurns,
};
use sea_orm::DbBackend;

use super::{Session, Wire};
#[cfg(feature = "sqlx-dep")]
use crate::giveback::dispose;
use crate::handover::Handover;

impl Session {
    /// Whether it may go to the next caller without a way through the pool: only if the end of a
    /// transaction was the last thing that it answered, as rows that nobody read, or their error,
    /// would come before the next answer. Not if the pool is closed, and not while others of its
    /// connections can still be had from it, as who opens one would be called off by this.
    fn may_go_on(&self) -> bool {
        #[cfg(feature = "sqlx-dep")]
        fn open<DB: sqlx::Database>(pool: &sqlx::Pool<DB>, held: usize) -> bool {
            !pool.is_closed() && held >= pool.options().get_max_connections() as usize
        }
        let wanted = |handover: &Arc<Handover>| handover.is_wanted();
        if !self.settled || !self.handover.as_ref().is_some_and(wanted) {
            return false;
        }
        // Without a lease nobody knows its age.
        let Some(met) = self.lease.as_ref().map(Lease::held_in_pool) else {
            return false;
        };
        let _ = met;
        match &self.wire {
            #[cfg(feature = "sqlx-postgres")]
            Wire::Postgres(_) => open(self.schema.connection.get_postgres_connection_pool(), met),
            #[cfg(feature = "sqlx-mysql")]
            Wire::MySql(_) => open(self.schema.connection.get_mysql_connection_pool(), met),
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(_) => open(self.schema.connection.get_sqlite_connection_pool(), met),
            Wire::SeaOrm { .. } => false,
        }
    }
}

impl resilient_core::driver::Session for Session {
    async fn control(&mut self, steps: &[Control]) -> Result<(), DriverError> {
        #[cfg(feature = "testing")]
        if let Some(faults) = &self.faults
            && let Some(strike) = faults.at_control(steps)
        {
            Box::pin(self.disturbed_control(strike, steps)).await?;
        } else {
            Box::pin(self.pass_control(steps)).await?;
        }
        #[cfg(not(feature = "testing"))]
        self.pass_control(steps).await?;
        self.settled = steps.last().is_some_and(Control::ends);
        // Until now, others have read the schema as it was before.
        if self.changed_schema && steps.iter().any(Control::is_commit) {
            self.schema.forget();
        }
        Ok(())
    }

    /// A deferred constraint.
    async fn explain(&mut self, error: DriverError) -> DriverError {
        self.diagnose_commit(error).await
    }

    fn server_pid(&self) -> Option<u64> {
        self.lease.as_ref()?.server_pid()
    }

    fn spare_timer(&mut self) -> Option<&mut Spare> {
        Some(&mut self.timer)
    }

    fn may_be_stale(&self) -> bool {
        // What a plan injects is to be seen.
        #[cfg(feature = "testing")]
        if self.faults.as_ref().is_some_and(|faults| faults.is_set()) {
            return false;
        }
        let used = self.lease.as_ref().is_some_and(Lease::was_used);
        used && self.handed == 0 && self.backend() != DbBackend::Sqlite
    }

    fn distrust(&mut self) {
        // A file does not fail over.
        if self.backend() != DbBackend::Sqlite
            && let Some(lease) = &self.lease
        {
            lease.distrust();
        }
    }

    fn dispose_in_turn(mut self, how: Disposal, turns: HeldTurns) {
        self.turns = Some(turns);
        self.dispose(how);
    }

    fn dispose(mut self, how: Disposal) {
        #[cfg(feature = "testing")]
        if let Some(late) = self.late.take() {
            return late.commit(self);
        }
        let closes = how == Disposal::Discard && self.backend() != DbBackend::Sqlite;
        let close = match &mut self.lease {
            Some(lease) if closes => {
                lease.close(Closing::Discarded);
                false
            }
            Some(lease) => match lease.is_due().filter(|_| how == Disposal::Clean) {
                Some(why) => {
                    lease.close(why);
                    true
                }
                None => false,
            },
            None => false,
        };
        if how == Disposal::Clean
            && !close
            && self.may_go_on()
            && let Some(handover) = self.handover.take()
        {
            self.handover = Some(Arc::clone(&handover));
            // The transaction has ended, and whoever is next has turns of its own.
            drop(self.turns.take());
            match handover.hand(self) {
                Some(unwanted) => self = unwanted,
                None => return,
            }
        }
        let roll_back = match self.wire {
            // Its worker runs commands one after another, so a rollback always comes last; and
            // closing an in-memory database would lose it.
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(_) => how != Disposal::Clean,
            // Sent in the middle of an exchange, a rollback could be answered by what came
            // before it; closing the connection is what surely ends its transaction.
            _ => how == Disposal::RollBack,
        };
        let (restore, turns) = (self.restore, self.turns);
        // As soon as the connection is given back somebody else may lease it.
        drop(self.lease);
        match self.wire {
            #[cfg(feature = "sqlx-postgres")]
            Wire::Postgres(conn) => dispose(conn, how, close, roll_back, restore, turns),
            #[cfg(feature = "sqlx-mysql")]
            Wire::MySql(conn) => dispose(conn, how, close, roll_back, restore, turns),
            #[cfg(feature = "sqlx-sqlite")]
            Wire::Sqlite(conn) => dispose(conn, how, close, roll_back, restore, turns),
            // SeaORM's transaction rolls back when dropped.
            Wire::SeaOrm { .. } => {
                let _ = (roll_back, restore);
                drop(turns);
            }
        }
    }
}
