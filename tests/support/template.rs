//! Fresh data folders: created once per test run, then copied.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::error::{Context, Error};
use crate::locate::Engine;
use crate::mysql;
use crate::process::{confined, run};
use crate::run_dir::server_dir;

/// Puts a fresh data folder at `data`.
pub(crate) fn copy_to(engine: Engine, data: &Path) -> Result<(), Error> {
    let template = template(engine)?;
    // `cp -a` keeps the owner, which a copy by root would lose.
    let mut cp = Command::new("cp");
    let status = cp
        .args(["-a", "--reflink=auto"])
        .arg(&template)
        .arg(data)
        .status();
    let status = status.context(|| "start cp".to_owned())?;
    if !status.success() {
        let detail = format!(
            "copying {} to {}: {status}",
            template.display(),
            data.display()
        );
        return Err(Error::Server { engine, detail });
    }
    Ok(())
}

/// The variable by which a test run tells its processes where its template is.
pub(crate) fn variable(engine: Engine) -> String {
    format!("RESILIENT_TEST_TEMPLATE_{}", engine.name().to_uppercase())
}

/// The template of an engine, created at the first call unless the test run has one already.
pub(crate) fn template(engine: Engine) -> Result<PathBuf, Error> {
    static POSTGRES: OnceLock<Result<PathBuf, Error>> = OnceLock::new();
    static MARIADB: OnceLock<Result<PathBuf, Error>> = OnceLock::new();
    static MYSQL: OnceLock<Result<PathBuf, Error>> = OnceLock::new();
    if let Some(path) = std::env::var_os(variable(engine)) {
        return Ok(path.into());
    }
    let cell = match engine {
        Engine::Sqlite => {
            return Err(Error::Unsupported {
                engine,
                what: "server",
            });
        }
        Engine::Postgres => &POSTGRES,
        Engine::MariaDb => &MARIADB,
        Engine::MySql => &MYSQL,
    };
    cell.get_or_init(|| create(engine)).clone()
}

fn create(engine: Engine) -> Result<PathBuf, Error> {
    let data = server_dir(&format!("template-{engine}"))?.join("data");
    if engine == Engine::MySql {
        mysql::initialize(&data)?;
        return Ok(data);
    }
    let mut command = confined(&engine.programs()?[0]);
    if engine == Engine::MariaDb {
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--innodb-log-file-size=8M", "--innodb-flush-method=nosync"]);
    } else {
        command
            .arg("-D")
            .arg(&data)
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8"])
            .args(["--no-sync", "--no-instructions", "--no-locale"]);
    }
    run(engine, command)?;
    Ok(data)
}
