//! What one connection's messages mean, and what is to be done with each.

use std::time::Duration;

use super::hub::{Hub, State};
use super::log::{Flight, Hit, Scope, Side};
use super::plan::{Ending, Fault};
use super::wire::{Direction, Message, Wire};

/// What to do with a message.
#[derive(Debug)]
pub(super) enum Step {
    Forward,
    /// Nothing of it is forwarded, for now.
    Hold,
    Delay(Duration),
    /// These bytes are forwarded, and then it is over.
    End(Vec<u8>, End),
}

/// How it is over.
#[derive(Debug)]
pub(super) enum End {
    /// Both sides are cut, the client's like this.
    Cut(Ending),
    /// The same, but the server is sent something so much later.
    Late {
        after: Duration,
        ending: Ending,
        late: Late,
    },
    /// The client is gone.
    Gone,
}

/// A statement that the server has not seen yet.
#[derive(Debug)]
pub(super) struct Late {
    bytes: Vec<u8>,
    answer: u64,
}

impl Late {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_answered(&self, talk: &Talk) -> bool {
        talk.answered >= self.answer
    }
}

/// An answer that does not go to the client as it comes.
#[derive(Debug)]
struct Withheld {
    answer: u64,
    fault: Fault,
    bytes: Vec<u8>,
}

/// The state of one connection's exchange.
#[derive(Debug)]
pub(super) struct Talk {
    connection: u64,
    wire: Wire,
    /// Answers that are or were due, and those that are complete.
    asked: u64,
    answered: u64,
    withheld: Option<Withheld>,
    /// The hits whose answers are due, by the number of the answer.
    awaited: Vec<(u64, usize)>,
    flight: Flight,
    /// Whether a message of the flight was recorded.
    noted: bool,
}

impl Talk {
    pub(super) fn new(hub: &Hub, connection: u64) -> Self {
        Self {
            connection,
            wire: Wire::new(hub.engine),
            asked: 0,
            answered: 0,
            withheld: None,
            awaited: Vec::new(),
            flight: empty(connection),
            noted: false,
        }
    }

    /// How many of these bytes are the first message.
    pub(super) fn length(&self, way: Direction, bytes: &[u8]) -> Result<Option<usize>, String> {
        self.wire.length(way, bytes)
    }

    /// Takes note of a whole message and decides about it.
    pub(super) fn step(&mut self, hub: &Hub, way: Direction, bytes: &[u8]) -> Result<Step, String> {
        let message = self.wire.read(way, bytes)?;
        let mut state = hub.state();
        Ok(match way {
            Direction::ToServer if message.handshake => Step::Forward,
            Direction::ToServer => self.asks(&mut state, &message, bytes),
            Direction::ToClient if message.handshake => match state.handshakes {
                Some(ending) => cut(ending),
                None => Step::Forward,
            },
            Direction::ToClient => self.tells(&mut state, &message, bytes),
        })
    }

    fn asks(&mut self, state: &mut State, message: &Message, bytes: &[u8]) -> Step {
        let recording = &mut state.recording;
        let (noted, at) = recording.note(self.connection, Direction::ToServer, message);
        // What asks for nothing is no round trip.
        self.noted |= noted && (message.asks || message.sql.is_some());
        let answer = self.asked + 1;
        self.asked += u64::from(message.asks);
        self.flight.messages.push(message.name.clone());
        self.flight.statements.extend(message.sql.clone());
        match at {
            Some(at) if at.side == Side::Before => return cut(at.ending),
            Some(at) if message.asks => self.withhold(answer, Fault::Applied(at.ending)),
            Some(at) => return Step::End(bytes.to_vec(), End::Cut(at.ending)),
            None => {}
        }
        let Some(sql) = &message.sql else {
            return Step::Forward;
        };
        let Some(fault) = state.strike(self.connection, sql) else {
            return Step::Forward;
        };
        self.awaited.push((answer, state.hits.len()));
        state.hits.push(Hit {
            connection: self.connection,
            sql: sql.clone(),
            fault,
            answered: false,
        });
        match fault {
            Fault::NotApplied(ending) => cut(ending),
            Fault::Late { after, ending } => {
                let bytes = [bytes, self.wire.close_of(message)].concat();
                let late = Late { bytes, answer };
                Step::End(
                    Vec::new(),
                    End::Late {
                        after,
                        ending,
                        late,
                    },
                )
            }
            Fault::Delayed(time) => Step::Delay(time),
            Fault::Applied(_) | Fault::HalfReply(_) | Fault::SilentAfter => {
                self.withhold(answer, fault);
                Step::Forward
            }
        }
    }

    fn tells(&mut self, state: &mut State, message: &Message, bytes: &[u8]) -> Step {
        let answer = self.answered + 1;
        self.answered += u64::from(message.answers);
        if message.answers {
            for (_, hit) in self.awaited.extract_if(.., |(due, _)| *due == answer) {
                state.hits[hit].answered = true;
            }
        }
        if let Some(withheld) = self.withheld.as_mut().filter(|held| held.answer <= answer) {
            withheld.bytes.extend_from_slice(bytes);
            if !message.answers {
                return Step::Hold;
            }
            let mut bytes = std::mem::take(&mut withheld.bytes);
            let ending = withheld.ending();
            match withheld.fault {
                Fault::HalfReply(_) => bytes.truncate(bytes.len() / 2),
                Fault::SilentAfter => self.land(state, true),
                _ => bytes.clear(),
            }
            return Step::End(bytes, End::Cut(ending));
        }
        let recording = &mut state.recording;
        let (_, at) = recording.note(self.connection, Direction::ToClient, message);
        if let Some(at) = at.filter(|at| at.side == Side::Before) {
            return cut(at.ending);
        }
        if message.answers && self.answered >= self.asked {
            self.land(state, true);
        }
        match at {
            Some(at) => Step::End(bytes.to_vec(), End::Cut(at.ending)),
            None => Step::Forward,
        }
    }

    /// What becomes of the client now that the server is gone.
    pub(super) fn without_server(&self, ending: Ending) -> End {
        End::Cut(self.withheld.as_ref().map_or(ending, Withheld::ending))
    }

    /// Books a flight. One that asked for nothing is not one.
    pub(super) fn land(&mut self, state: &mut State, answered: bool) {
        let mut flight = std::mem::replace(&mut self.flight, empty(self.connection));
        let noted = std::mem::take(&mut self.noted);
        if answered && (noted || state.recording.scope == Scope::Nothing) {
            *state.round_trips.entry(self.connection).or_default() += 1;
        }
        if noted {
            flight.answered = answered;
            state.recording.flights.push(flight);
        }
    }

    fn withhold(&mut self, answer: u64, fault: Fault) {
        self.withheld.get_or_insert(Withheld {
            answer,
            fault,
            bytes: Vec::new(),
        });
    }
}

impl Withheld {
    fn ending(&self) -> Ending {
        match self.fault {
            Fault::Applied(ending) | Fault::HalfReply(ending) => ending,
            _ => Ending::Silence,
        }
    }
}

fn cut(ending: Ending) -> Step {
    Step::End(Vec::new(), End::Cut(ending))
}

fn empty(connection: u64) -> Flight {
    Flight {
        connection,
        messages: Vec::new(),
        statements: Vec::new(),
        answered: false,
    }
}
