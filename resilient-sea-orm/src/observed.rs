//! A database as the metrics registry sees it.

use std::sync::Arc;

use resilient_core::{
    driver::Context,
    health::{Connections, PoolGauge},
    metrics::{self, Observation, Observed},
};
use sea_orm::DatabaseConnection;

use crate::{advice, health::PoolHealth};

/// What a pool consists of, without the pool: that ends with its last user.
#[derive(Debug)]
struct Parts {
    connection: DatabaseConnection,
    context: Arc<Context>,
    health: Arc<PoolHealth>,
}

impl Observed for Parts {
    fn context(&self) -> &Context {
        &self.context
    }

    fn pool(&self) -> Option<PoolGauge> {
        advice::gauge_of(&self.connection, self.health.hooks)
    }

    fn connections(&self) -> Option<&Connections> {
        Some(&self.health.connections)
    }
}

/// Shows a database to the registry for as long as the answer lives.
pub(crate) fn observe(
    connection: &DatabaseConnection,
    context: &Arc<Context>,
    health: &Arc<PoolHealth>,
) -> Observation {
    metrics::global().observe(Arc::new(Parts {
        connection: connection.clone(),
        context: Arc::clone(context),
        health: Arc::clone(health),
    }))
}
