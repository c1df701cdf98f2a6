//! Real `MySQL`, which Debian's stable releases do not have: its packages are taken from `sid` and
//! unpacked into a cache, beside everything they need. Nothing is installed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::error::{Context, Error};
use crate::locate::Engine;
use crate::process::{confined, run};

/// Where downloaded engines are kept; `target/engines` when unset. Every user must be able to
/// enter it if the tests run as root.
pub const CACHE_VARIABLE: &str = "RESILIENT_TEST_CACHE";

/// Downloads into the folder `$1`: the packages to `apt`, what is in them to `root`.
const SCRIPT: &str = r#"
umask 022
mkdir -p "$1/apt/lists/partial" "$1/apt/archives/partial" "$1/root"
: >"$1/apt/status"
# The mirror of this machine, if it has one.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$' || true)
key=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$key] ${mirror:-http://deb.debian.org/debian} sid main" >"$1/apt/sources.list"
own() {
    apt-get -q -o Dir::Etc::sourcelist="$1/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State="$1/apt" -o Dir::State::status="$1/apt/status" -o Dir::Cache="$1/apt" \
        -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root \
        -o APT::Install-Recommends=0 -o Debug::NoLocking=1 "$2" "$3" "$4" "$5"
}
own "$1" update --yes --error-on=any -q
# The list of installed packages is empty, so that nothing is left out.
own "$1" install --yes --download-only mysql-server-core
for package in "$1"/apt/archives/*.deb; do
    dpkg -x "$package" "$1/root"
done
"#;

/// Whether an engine is one of the two that speak `MySQL`'s protocol.
pub(crate) const fn speaks_mysql(engine: Engine) -> bool {
    matches!(engine, Engine::MariaDb | Engine::MySql)
}

/// The server program, ready for its flags. The first call of all downloads it.
pub(crate) fn server() -> Result<Command, Error> {
    let usr = root()?.join("usr");
    let libraries = find(&usr.join("lib"), |name| name.ends_with("-linux-gnu"))?;
    let loader = find(&libraries, |name| name.starts_with("ld-linux"))?;
    let mut command = confined(&loader);
    command
        .arg("--library-path")
        .arg(&libraries)
        .arg(usr.join("sbin/mysqld"))
        .arg("--no-defaults")
        .arg(format!("--basedir={}", usr.display()));
    Ok(command)
}

/// Puts a fresh data folder at `data`, in a folder that the server may read.
pub(crate) fn initialize(data: &Path) -> Result<(), Error> {
    // Without names being resolved, `localhost` is nobody's address.
    let accounts = "CREATE USER root@'127.0.0.1' IDENTIFIED BY '';\n\
                    GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";
    let file = data.with_extension("sql");
    fs::write(&file, accounts).context(|| format!("write {}", file.display()))?;
    let mut command = server()?;
    command
        .arg(format!("--datadir={}", data.display()))
        .arg("--initialize-insecure")
        .arg(format!("--init-file={}", file.display()))
        .args(["--skip-log-bin", "--innodb-flush-method=nosync"])
        .arg("--innodb-redo-log-capacity=64M");
    run(Engine::MySql, command)
}

/// Where the packages are unpacked.
fn root() -> Result<&'static Path, Error> {
    static ROOT: OnceLock<Result<PathBuf, Error>> = OnceLock::new();
    match ROOT.get_or_init(provide) {
        Ok(root) => Ok(root),
        Err(error) => Err(error.clone()),
    }
}

fn provide() -> Result<PathBuf, Error> {
    let cache = std::env::var_os(CACHE_VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines"),
        PathBuf::from,
    );
    let action = || format!("use the folder {}", cache.display());
    fs::create_dir_all(&cache).context(action)?;
    let cache = cache.canonicalize().context(action)?;
    // Other test binaries may be about the same; the lock ends with the file.
    let lock = File::create(cache.join("lock")).context(action)?;
    lock.lock().context(action)?;
    let root = match find(&cache, |name| name.starts_with("mysql-")) {
        Ok(root) => root,
        Err(_) => download(&cache)?,
    };
    Ok(root)
}

fn download(cache: &Path) -> Result<PathBuf, Error> {
    let new = cache.join("new");
    let action = || format!("use the folder {}", new.display());
    // What is left of an attempt that was killed.
    if new.exists() {
        fs::remove_dir_all(&new).context(action)?;
    }
    let output = Command::new("sh")
        .args(["-euc", SCRIPT, "sh"])
        .arg(&new)
        .stdin(Stdio::null())
        .output()
        .context(|| "start sh".to_owned())?;
    if !output.status.success() {
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        return Err(missing(&format!("{}, {printed}", output.status)));
    }
    let package = find(&new.join("apt/archives"), |name| {
        name.starts_with("mysql-server-core_")
    })?;
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    let version = name.split('_').nth(1).unwrap_or_default();
    let root = cache.join(format!("mysql-{version}"));
    fs::rename(new.join("root"), &root).context(action)?;
    fs::remove_dir_all(&new).context(action)?;
    Ok(root)
}

/// The last entry of a folder whose name is right.
fn find(folder: &Path, is: impl Fn(&str) -> bool) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let right = entries.filter(|entry| is(&entry.file_name().to_string_lossy()));
    let found = right.map(|entry| entry.path()).max();
    found.ok_or_else(|| missing(&format!("nothing fit in {}", folder.display())))
}

fn missing(detail: &str) -> Error {
    let detail = format!(
        "it is taken from Debian's `sid`, for which apt-get, dpkg, debian-archive-keyring and a \
         mirror of Debian are needed. Provide them, set {CACHE_VARIABLE} to a folder that has it \
         already, or leave it out. What happened: {detail}"
    );
    let engine = Engine::MySql;
    Error::Server { engine, detail }
}
