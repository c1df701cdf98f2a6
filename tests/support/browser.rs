//! A private `chromedriver`, which starts a browser for whoever asks.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{Context, Error};
use crate::port::free_port;
use crate::process::{confined, spawn};
use crate::run_dir::server_dir;

/// How long it may take to start; generous, for machines under load.
const PATIENCE: Duration = Duration::from_mins(1);

struct Driver {
    port: u16,
    // Killed by the kernel with this process.
    _child: Child,
}

/// The address of this process's `chromedriver`, started at the first call. Its browsers write to
/// the harness's folder, and end with it.
///
/// # Errors
/// If it or Chromium is not installed, or it does not start; its log is in the error.
pub fn webdriver() -> Result<String, Error> {
    static DRIVER: OnceLock<Result<Driver, Error>> = OnceLock::new();
    match DRIVER.get_or_init(start) {
        Ok(driver) => Ok(format!("http://127.0.0.1:{}", driver.port)),
        Err(error) => Err(error.clone()),
    }
}

/// The arguments that a browser of tests needs, here and as any user.
pub fn browser_arguments() -> &'static [&'static str] {
    &[
        "--headless=new",
        // The account `nobody`, or a container, has no namespaces of its own to be boxed in.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        // What a browser asks of its maker by itself.
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        // So it ends when its driver does.
        "--remote-debugging-pipe",
    ]
}

fn start() -> Result<Driver, Error> {
    let program = program("chromedriver", "chromium-driver")?;
    self::program("chromium", "chromium")?;
    let home = server_dir("chromedriver")?;
    let path = home.join("log");
    let log = File::create(&path).context(|| "open the log of chromedriver".to_owned())?;
    let share = log.try_clone();
    let share = share.context(|| "share the log of chromedriver".to_owned())?;
    let port = free_port()?;
    let mut command = confined(&program);
    command
        .arg(format!("--port={port}"))
        .current_dir(&home)
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .stdout(log)
        .stderr(share);
    let mut child = spawn(command)?;
    let start = Instant::now();
    while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() || start.elapsed() > PATIENCE {
            let printed = fs::read_to_string(&path).unwrap_or_default();
            let detail = format!("chromedriver does not start: {printed}");
            return Err(Error::Browser { detail });
        }
        sleep(Duration::from_millis(20));
    }
    Ok(Driver {
        port,
        _child: child,
    })
}

fn program(name: &str, package: &str) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain([Path::new("/usr/bin").to_owned()]);
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()));
    found.ok_or_else(|| Error::Browser {
        detail: format!("`{name}` was not found; on Debian: apt-get install {package}"),
    })
}
