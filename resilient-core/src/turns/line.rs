//! The turns of one transaction, from being named to being given back.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use super::{
    TurnKeys,
    table::{Place, Table, Visit},
};

/// The turns that a transaction has. Dropping them passes them on, in the order in which others
/// asked.
pub struct HeldTurns {
    pub(crate) keys: TurnKeys,
    /// The turn of an engine's only writer is among them.
    pub(crate) writer: bool,
    _places: Vec<Place>,
    /// For transactions of their own inside this one, which share its turns and take turns among
    /// themselves.
    within: OnceLock<Arc<Table>>,
}

impl HeldTurns {
    pub(crate) fn within(&self) -> Arc<Table> {
        Arc::clone(self.within.get_or_init(Arc::default))
    }
}

/// Without the keys.
impl fmt::Debug for HeldTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldTurns")
            .field("keys", &self.keys.len())
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}

/// How far a transaction's turns are.
#[derive(Debug, Default)]
pub(crate) enum Taking {
    /// They can still be added to.
    #[default]
    Named,
    /// They are being taken, in this order or none.
    Waiting { writer: bool },
    /// It has them.
    Held(HeldTurns),
    /// They were given back.
    Over,
}

/// The turns of a transaction that takes some.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) keys: TurnKeys,
    pub(crate) taking: Taking,
}

/// The turns of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    pub(crate) line: Option<Box<Line>>,
    /// They are being taken, or were: no more can be named.
    pub(crate) taken: bool,
}

impl Turns {
    /// Whether the only writer's is among them, had or waited for.
    pub(crate) fn writes(&self) -> bool {
        match self.line.as_ref().map(|line| &line.taking) {
            Some(Taking::Waiting { writer }) => *writer,
            Some(Taking::Held(held)) => held.writer,
            Some(Taking::Named | Taking::Over) | None => false,
        }
    }

    /// Takes them out of the books, to be given up with the session.
    pub(crate) fn give_back(&mut self) -> Option<HeldTurns> {
        let line = self.line.as_mut()?;
        match std::mem::replace(&mut line.taking, Taking::Over) {
            Taking::Held(held) => Some(held),
            _ => None,
        }
    }
}

/// One turn that is wanted.
pub(crate) struct Want {
    pub(crate) table: Arc<Table>,
    pub(crate) key: u64,
    /// It is that of the engine's only writer.
    pub(crate) writer: bool,
}

/// Turns on their way: those that have come, and those that are still wanted, in order.
pub(crate) struct Order {
    keys: TurnKeys,
    writer: bool,
    places: Vec<Place>,
    wanted: std::vec::IntoIter<Want>,
    /// The one that somebody else has.
    met: Option<(Visit, bool)>,
    who: Option<&'static str>,
}

impl Order {
    pub(crate) fn new(keys: TurnKeys, wanted: Vec<Want>, who: Option<&'static str>) -> Self {
        Self {
            writer: wanted.iter().any(|want| want.writer),
            places: Vec::with_capacity(wanted.len()),
            wanted: wanted.into_iter(),
            met: None,
            keys,
            who,
        }
    }

    /// Takes what can be had without waiting. Answers whether that was all.
    pub(crate) fn proceed(&mut self) -> bool {
        for Want { table, key, writer } in self.wanted.by_ref() {
            match table.come(key).try_enter(self.who) {
                Ok(place) => self.places.push(place),
                Err(visit) => {
                    self.met = Some((visit, writer));
                    return false;
                }
            }
        }
        true
    }

    /// What has to be waited for, and whether it is the only writer's turn.
    pub(crate) fn met(&mut self) -> Option<(Visit, bool)> {
        self.met.take()
    }

    /// Waits for it.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line. What has come before stays.
    pub(crate) async fn wait(&mut self, met: Visit) {
        let place = met.enter(self.who).await;
        self.places.push(place);
    }

    /// They have all come.
    pub(crate) fn done(self) -> HeldTurns {
        HeldTurns {
            keys: self.keys,
            writer: self.writer,
            _places: self.places,
            within: OnceLock::new(),
        }
    }
}
