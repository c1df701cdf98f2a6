//! How the servers are set up: small, fast, and local.

use std::path::Path;

use crate::locate::Engine;
use crate::mysql::speaks_mysql;

const MARIADB: &[&str] = &[
    "--bind-address=127.0.0.1",
    // Relative to the data folder: the path of a socket may have only 107 bytes.
    "--socket=socket",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--performance-schema=off",
    "--character-set-server=utf8mb4",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=8M",
    "--innodb-flush-method=nosync",
    "--innodb-lock-wait-timeout=2",
    "--max-connections=300",
];

const MYSQL: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--socket=socket",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--innodb-buffer-pool-size=16M",
    "--innodb-redo-log-capacity=64M",
    "--innodb-flush-method=nosync",
    "--innodb-lock-wait-timeout=2",
    "--max-connections=300",
];

// Data need not survive a power cut, so nothing is forced to disk. `synchronous_commit` stays on:
// without it already a killed server loses acknowledged commits.
const POSTGRES: &[&str] = &[
    "--listen_addresses=127.0.0.1",
    "--unix_socket_directories=",
    "--shared_buffers=16MB",
    "--fsync=off",
    "--full_page_writes=off",
    "--deadlock_timeout=20ms",
    "--max_connections=200",
];

/// The flags of a server on `data` and `port`.
pub(crate) fn flags(engine: Engine, data: &Path, port: u16) -> Vec<String> {
    let data = data.display();
    let (own, fixed) = if speaks_mysql(engine) {
        let mut own = vec![
            format!("--datadir={data}"),
            format!("--port={port}"),
            format!("--pid-file={data}/server.pid"),
            format!("--tmpdir={data}"),
        ];
        if engine == Engine::MySql {
            (own, MYSQL)
        } else {
            // Must be the first.
            own.insert(0, "--no-defaults".to_owned());
            (own, MARIADB)
        }
    } else {
        (
            vec![
                "-D".to_owned(),
                data.to_string(),
                "-p".to_owned(),
                port.to_string(),
            ],
            POSTGRES,
        )
    };
    own.into_iter()
        .chain(fixed.iter().map(ToString::to_string))
        .collect()
}
