//! Rounds: calls made in a closed or an open loop.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{
    Result,
    policy::Client,
    stats::{Done, Round},
    workload::{Arrival, Transfer, Workload},
};

/// Makes calls for so long and waits for the last of them.
pub(crate) async fn round(
    client: &Client,
    workload: &'static Workload,
    length: Duration,
    seed: u64,
) -> Result<Round> {
    let tasks = match workload.arrival {
        Arrival::Closed(tasks) => closed(client, workload, tasks, length, seed).await?,
        Arrival::Open(rate) => open(client, workload, rate, length, seed).await?,
    };
    Ok(Round { length, tasks })
}

async fn closed(
    client: &Client,
    workload: &'static Workload,
    tasks: usize,
    length: Duration,
    seed: u64,
) -> Result<Vec<Vec<Done>>> {
    let end = Instant::now() + length;
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let client = client.clone();
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(1_000) + task as u64);
        running.spawn(async move {
            let mut done = Vec::new();
            while Instant::now() < end {
                let transfer = workload.transfer(&mut random);
                done.push(one(&client, workload, transfer, Instant::now(), end).await);
            }
            done
        });
    }
    let mut all = Vec::new();
    while let Some(done) = running.join_next().await {
        all.push(done?);
    }
    Ok(all)
}

async fn open(
    client: &Client,
    workload: &'static Workload,
    rate: f64,
    length: Duration,
    seed: u64,
) -> Result<Vec<Vec<Done>>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let start = Instant::now();
    let end = start + length;
    let mut running = JoinSet::new();
    let mut due = start;
    while due < end {
        tokio::time::sleep_until(due.into()).await;
        // Timers are coarse: all that are due by now.
        while due <= Instant::now() && due < end {
            let (client, transfer) = (client.clone(), workload.transfer(&mut random));
            running.spawn(async move { one(&client, workload, transfer, due, end).await });
            // A Poisson process.
            due += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / rate);
        }
    }
    let mut all = Vec::new();
    while let Some(done) = running.join_next().await {
        all.push(done?);
    }
    Ok(vec![all])
}

async fn one(
    client: &Client,
    workload: &Workload,
    transfer: Transfer,
    due: Instant,
    end: Instant,
) -> Done {
    let (attempts, result) = client.call(workload, transfer).await;
    let now = Instant::now();
    Done {
        took: now - due,
        attempts,
        committed: result.is_ok(),
        in_time: now <= end,
    }
}
