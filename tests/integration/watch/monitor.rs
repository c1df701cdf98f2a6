//! A monitor whose database goes away for a while.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::health::{HealthEvent, alerts::AlertKind, monitor::MonitorConfig};
use support::{Engine, Server, TestResult, engine_tests, wait_until};

use crate::rig::{PATIENCE, Rig};

async fn it_goes_on_while_the_database_is_down_and_tells_when_it_is_back(
    engine: Engine,
) -> TestResult {
    let server = Arc::new(Server::start_private(engine, &[])?);
    let mut rig = Rig::new(2);
    rig.acquire = Duration::from_secs(2);
    let bank = rig.private(&server, 1).await;
    let mut hears = bank.db.health_events();
    let config = MonitorConfig::default().interval(Duration::from_millis(50));
    let monitor = bank.db.monitor_reachability(&config);
    let ticks = async || Ok(monitor.report().ticks >= 3);
    wait_until("ticks", PATIENCE, ticks).await?;
    assert_eq!(monitor.report().failed, 0, "{monitor:?}");

    server.kill()?;
    let fails = async || Ok(monitor.report().failed >= 4);
    wait_until("failed ticks", PATIENCE, fails).await?;
    assert!(monitor.report().unhealthy.is_some());
    let alerts = bank.db.alerts();
    assert_eq!(alerts.active[0].kind, AlertKind::ConnectionFailure);

    let again = Arc::clone(&server);
    tokio::task::spawn_blocking(move || again.restart()).await??;
    let recovered = async || Ok(monitor.report().recovered >= 1);
    wait_until("recovery", PATIENCE, recovered).await?;
    let report = monitor.report();
    assert!(report.running && report.unhealthy.is_none(), "{report:?}");
    monitor.shutdown().await;
    assert!(bank.db.alerts().active.is_empty());

    let told: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok()).collect();
    let first = told
        .iter()
        .position(|e| matches!(e, HealthEvent::CheckFailed { .. }));
    let failures = |e: &HealthEvent| match e {
        HealthEvent::CheckRecovered { failed_checks, .. } => Some(*failed_checks),
        _ => None,
    };
    let last = told.iter().filter_map(failures).next_back();
    assert!(first.is_some() && last >= Some(1), "{told:?}");
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    it_goes_on_while_the_database_is_down_and_tells_when_it_is_back,
}
