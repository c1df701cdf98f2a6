//! Trouble, made beside the load.

mod kills;

use std::time::Duration;

use reqwest::StatusCode;
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use uuid::Uuid;

use crate::{
    Failure,
    bank::{Answer, Bank},
    load::Customers,
    options::{Kind, Options},
};
use kills::Killer;

/// What was chosen, and can be made here.
#[derive(Debug)]
pub(crate) struct Trouble {
    bank: Bank,
    deadlocks: bool,
    makers: Vec<(Kind, Maker)>,
    /// What was chosen and cannot be made, and why.
    refused: Vec<(String, String)>,
}

#[derive(Debug)]
enum Maker {
    Kills(Killer),
    /// This handle is taken.
    Violations(String),
    Leaks,
    Slow,
}

/// Trouble that is being made.
#[derive(Debug)]
pub(crate) struct Troubles {
    stop: watch::Sender<bool>,
    makers: Vec<(Kind, JoinHandle<String>)>,
    said: Vec<(String, String)>,
}

const NEEDS_TROUBLE: &str = "not made: the service was not started with TROUBLE=on";

impl Trouble {
    /// Finds out what can be made.
    pub(crate) async fn prepare(bank: &Bank, options: &Options, customers: &Customers) -> Self {
        let mut trouble = Self {
            bank: bank.clone(),
            deadlocks: false,
            makers: Vec::new(),
            refused: Vec::new(),
        };
        for &kind in &options.trouble {
            if let Err(why) = trouble.add(kind, options, customers).await {
                println!("{}: {why}", kind.name());
                trouble.refused.push((kind.name(), why));
            }
        }
        trouble
    }

    async fn add(
        &mut self,
        kind: Kind,
        options: &Options,
        customers: &Customers,
    ) -> Result<(), String> {
        let maker = match kind {
            Kind::Deadlocks => {
                // The first transfer into the first account, which is known already.
                let known = customers.funding.first().ok_or("there are no accounts")?;
                self.able(&self.bank.transfer(known, true).await)?;
                self.deadlocks = true;
                return Ok(());
            }
            Kind::Kills => Maker::Kills(Killer::connect(options.database_url.as_deref()).await?),
            Kind::Violations => {
                let handle = format!("v{}", Uuid::new_v4().simple());
                let first = self.bank.sign_up(&handle).await;
                if !first.is(StatusCode::CREATED) {
                    return Err(format!("not made: {}", first.label()));
                }
                Maker::Violations(handle)
            }
            Kind::Leaks => {
                self.able(&self.bank.make("leak", 0).await)?;
                Maker::Leaks
            }
            Kind::Slow => {
                self.able(&self.bank.make("slow", 1).await)?;
                Maker::Slow
            }
        };
        self.makers.push((kind, maker));
        Ok(())
    }

    fn able(&self, answer: &Answer) -> Result<(), String> {
        match answer.status {
            Some(status) if status.is_success() => Ok(()),
            Some(StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY) => {
                Err(NEEDS_TROUBLE.to_owned())
            }
            _ => Err(format!(
                "not made: {} says {}",
                self.bank.url(),
                answer.label()
            )),
        }
    }

    /// Whether the load is to lock in an order that deadlocks.
    pub(crate) fn deadlocks(&self) -> bool {
        self.deadlocks
    }

    pub(crate) fn start(&mut self) -> Troubles {
        let stop = watch::Sender::new(false);
        let mut said = std::mem::take(&mut self.refused);
        if self.deadlocks {
            let text = "every second transfer locks in the payer's order".to_owned();
            said.push((Kind::Deadlocks.name(), text));
        }
        let makers = std::mem::take(&mut self.makers)
            .into_iter()
            .map(|(kind, maker)| {
                let (bank, stop) = (self.bank.clone(), stop.subscribe());
                (kind, tokio::spawn(make(bank, maker, stop)))
            })
            .collect();
        Troubles { stop, makers, said }
    }
}

/// Makes no more, and says what was made.
pub(crate) async fn finish(troubles: Troubles) -> Result<Vec<(String, String)>, Failure> {
    troubles.stop.send_replace(true);
    let mut said = troubles.said;
    for (kind, maker) in troubles.makers {
        said.push((kind.name(), maker.await?));
    }
    Ok(said)
}

/// Makes one kind of trouble until it is told to stop.
async fn make(bank: Bank, maker: Maker, mut stop: watch::Receiver<bool>) -> String {
    let pause = Duration::from_millis(match &maker {
        Maker::Kills(_) => 400,
        Maker::Violations(_) => 100,
        Maker::Leaks => 3_000,
        Maker::Slow => 700,
    });
    let (mut made, mut failed) = (0_u64, 0_u64);
    loop {
        let well = match &maker {
            Maker::Kills(killer) => match killer.kill_one().await {
                Ok(true) => true,
                // Nobody was there.
                Ok(false) | Err(_) => false,
            },
            Maker::Violations(handle) => bank.sign_up(handle).await.is(StatusCode::CONFLICT),
            Maker::Leaks => bank.make("leak", 4_000).await.is(StatusCode::ACCEPTED),
            Maker::Slow => bank.make("slow", 300).await.is(StatusCode::NO_CONTENT),
        };
        if well {
            made += 1;
        } else {
            failed += 1;
        }
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    format!("{made} made, {failed} failed or answered otherwise")
}
