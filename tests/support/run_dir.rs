//! The folder that holds everything one test process writes.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Context, Error};
use crate::process::{NOBODY, is_root};

const PREFIX: &str = "resilient-tests-";
const YOUNG: &str = ".resilient-";
/// Locked while the owner of the folder lives.
const LOCK: &str = "lock";

struct RunDir {
    path: PathBuf,
    _lock: File,
    _guard: ChildStdin,
}

/// The folder of this process: created at the first call, removed when the process ends.
pub(crate) fn run_dir() -> Result<&'static Path, Error> {
    static RUN_DIR: OnceLock<Result<RunDir, Error>> = OnceLock::new();
    match RUN_DIR.get_or_init(create) {
        Ok(dir) => Ok(&dir.path),
        Err(error) => Err(error.clone()),
    }
}

/// A new folder below [`run_dir`] for one server, owned by the account the server runs as.
pub(crate) fn server_dir(name: &str) -> Result<PathBuf, Error> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = run_dir()?.join(format!("{name}-{count}"));
    let action = || format!("create {}", path.display());
    fs::create_dir(&path).context(action)?;
    fs::set_permissions(&path, Permissions::from_mode(0o700)).context(action)?;
    if is_root() {
        chown(&path, Some(NOBODY), Some(NOBODY)).context(action)?;
    }
    Ok(path)
}

fn create() -> Result<RunDir, Error> {
    let parent = std::env::temp_dir();
    sweep(&parent);

    let action = || format!("create a folder in {}", parent.display());
    // Under its final name the folder is always locked, so that nobody sweeps a young one away.
    let young = tempfile::Builder::new().prefix(YOUNG).tempdir_in(&parent);
    let young = young.context(action)?.keep();
    let lock = File::create(young.join(LOCK)).context(action)?;
    lock.try_lock()
        .map_err(std::io::Error::from)
        .context(action)?;
    fs::set_permissions(&young, Permissions::from_mode(0o711)).context(action)?;
    let name = young.file_name().unwrap_or_default().to_string_lossy();
    let random = name.trim_start_matches(YOUNG);
    let path = parent.join(format!("{PREFIX}{}-{random}", std::process::id()));
    fs::rename(&young, &path).context(action)?;

    let guard = guard(&path).context(|| "start sh".to_owned())?;
    Ok(RunDir {
        path,
        _lock: lock,
        _guard: guard,
    })
}

/// A shell that waits for the end of this process, however it comes, and then removes the folder.
/// It notices by its standard input, which nobody else holds.
///
/// It also kills what still works in the folder: a `PostgreSQL` session in the middle of a long
/// computation does not notice that its server was killed.
fn guard(path: &Path) -> std::io::Result<ChildStdin> {
    let script = r#"
        cat >/dev/null
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            for cwd in $(find /proc/[0-9]* -maxdepth 1 -name cwd -lname "$1/*"); do
                cwd=${cwd#/proc/}
                kill -9 "${cwd%/cwd}"
            done
            rm -rf "$1"
            [ -e "$1" ] || exit 0
            sleep 0.2
        done"#;
    let mut child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(path)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    child
        .stdin
        .take()
        .ok_or_else(|| std::io::Error::other("no pipe to the guard"))
}

/// Removes what processes left behind whose guard was killed with them. Best effort: folders of
/// other users stay.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let abandoned = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
