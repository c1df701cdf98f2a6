//! A cluster of three `MariaDB` servers that all take writes.

use sea_orm::ConnectionTrait;

use super::{PATIENCE, text};
use crate::error::Error;
use crate::locate::Engine;
use crate::port::free_port;
use crate::server::Server;
use crate::{connect, wait_until};

/// How many servers there are: the fewest of which one may be lost.
pub const NODES: usize = 3;

/// A Galera cluster. Databases made on one node are on all.
#[derive(Debug)]
pub struct Galera {
    nodes: Vec<Server>,
    ports: Vec<Ports>,
}

/// The ports of one node, beside the one for clients.
#[derive(Clone, Copy, Debug)]
struct Ports {
    group: u16,
    incremental: u16,
    snapshot: u16,
}

impl Galera {
    /// Starts all nodes, which takes about ten seconds.
    ///
    /// # Errors
    /// If something is not installed, or the nodes do not find each other.
    pub async fn start() -> Result<Self, Error> {
        // Where they are looked for by the servers; here only so that the error names them.
        for program in ["rsync", "lsof"] {
            Engine::MariaDb.cluster_part(program)?;
        }
        let mut ports = Vec::new();
        for _ in 0..NODES {
            ports.push(Ports {
                group: free_port()?,
                incremental: free_port()?,
                snapshot: free_port()?,
            });
        }
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let mut own = flags(number, &ports)?;
            if number == 0 {
                own.push("--wsrep-new-cluster".to_owned());
            }
            let own: Vec<_> = own.iter().map(String::as_str).collect();
            nodes.push(Server::start_private(Engine::MariaDb, &own)?);
        }
        // Started again, it must find the others, not begin anew.
        let first = flags(0, &ports)?;
        if let Some(node) = nodes.first_mut() {
            node.set_flags(first);
        }
        let cluster = Self { nodes, ports };
        for number in 0..NODES {
            cluster.joined(number, NODES).await?;
        }
        Ok(cluster)
    }

    /// A node, from 0.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn node(&self, number: usize) -> &Server {
        &self.nodes[number]
    }

    /// Waits until a node is in step with a cluster of so many.
    ///
    /// # Errors
    /// If that takes longer than a minute.
    pub async fn joined(&self, number: usize, size: usize) -> Result<(), Error> {
        let url = self.node(number).url("mysql");
        let size = size.to_string();
        let joined = async || {
            // It does not answer while it takes over the data.
            let Ok(db) = connect(&url, 1).await else {
                return Ok(false);
            };
            let state = status(&db, "wsrep_local_state_comment").await?;
            let members = status(&db, "wsrep_cluster_size").await?;
            let ready = status(&db, "wsrep_ready").await?;
            db.close().await?;
            Ok(state.as_deref() == Some("Synced")
                && members.as_deref() == Some(size.as_str())
                && ready.as_deref() == Some("ON"))
        };
        wait_until("a node in step with its cluster", PATIENCE, joined).await
    }

    /// Takes a node out of the network of the others, or lets it back. Clients reach it.
    ///
    /// # Errors
    /// If the node does not take the order.
    pub async fn isolate(&self, number: usize, isolated: bool) -> Result<(), Error> {
        let db = connect(&self.node(number).url("mysql"), 1).await?;
        let value = u8::from(isolated);
        let sql = format!("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={value}'");
        db.execute_unprepared(&sql).await?;
        Ok(db.close().await?)
    }

    /// Whether a node belongs to the majority.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn is_primary(&self, number: usize) -> Result<bool, Error> {
        let db = connect(&self.node(number).url("mysql"), 1).await?;
        let state = status(&db, "wsrep_cluster_status").await?;
        db.close().await?;
        Ok(state.as_deref() == Some("Primary"))
    }

    /// The ports in use, for who looks at what went wrong.
    pub fn ports(&self) -> String {
        format!("{:?}", self.ports)
    }
}

async fn status(db: &sea_orm::DatabaseConnection, name: &str) -> Result<Option<String>, Error> {
    let sql = format!(
        "SELECT CAST(VARIABLE_VALUE AS CHAR) FROM information_schema.GLOBAL_STATUS \
         WHERE VARIABLE_NAME = '{name}'"
    );
    Ok(text(db, &sql).await?)
}

fn flags(number: usize, ports: &[Ports]) -> Result<Vec<String>, Error> {
    let own = ports[number];
    let provider = Engine::MariaDb.cluster_part("libgalera_smm.so")?;
    let members: Vec<_> = ports
        .iter()
        .map(|ports| format!("127.0.0.1:{}", ports.group))
        .collect();
    let options = [
        format!("gmcast.listen_addr=tcp://127.0.0.1:{}", own.group),
        format!("ist.recv_addr=127.0.0.1:{}", own.incremental),
        format!("ist.recv_bind=127.0.0.1:{}", own.incremental),
        "gcache.size=16M".to_owned(),
        "evs.keepalive_period=PT0.2S".to_owned(),
        "evs.inactive_check_period=PT0.2S".to_owned(),
        // Shorter ones let a machine under load tear the cluster apart.
        "evs.suspect_timeout=PT3S".to_owned(),
        "evs.inactive_timeout=PT6S".to_owned(),
        "evs.install_timeout=PT6S".to_owned(),
        "gmcast.peer_timeout=PT3S".to_owned(),
        "pc.recovery=false".to_owned(),
    ];
    Ok(vec![
        "--binlog-format=ROW".to_owned(),
        "--innodb-autoinc-lock-mode=2".to_owned(),
        "--wsrep-on=ON".to_owned(),
        format!("--wsrep-provider={}", provider.display()),
        // Of its own, so that no two clusters of a machine find each other.
        format!("--wsrep-cluster-name=resilient-{}", ports[0].group),
        format!("--wsrep-cluster-address=gcomm://{}", members.join(",")),
        format!("--wsrep-node-name=node{number}"),
        "--wsrep-node-address=127.0.0.1".to_owned(),
        "--wsrep-sst-method=rsync".to_owned(),
        format!("--wsrep-sst-receive-address=127.0.0.1:{}", own.snapshot),
        format!("--wsrep-provider-options={}", options.join(";")),
    ])
}
