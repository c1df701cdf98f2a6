//! Which engines exist and where their programs are.
//!
//! Only the standard library is used: the task runner includes this file too, so that both agree
//! on what "installed" means.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A database engine the tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// `SQLite`, compiled into the test binary.
    Sqlite,
    /// `PostgreSQL`, a private server.
    Postgres,
    /// `MariaDB`, a private server.
    MariaDb,
    /// `MySQL`, a private server that is downloaded. Only tests that ask for it run on it.
    MySql,
}

impl Engine {
    /// Every engine that tests run on unless they say otherwise, in the order in which they are
    /// reported.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MariaDb];
    /// These, and the one that has to be asked for.
    pub const EVERY: [Self; 4] = [Self::Sqlite, Self::Postgres, Self::MariaDb, Self::MySql];

    /// The name used in settings, options and test names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    /// The programs a private server needs: the one that creates a data folder, then the server.
    /// Nothing for `SQLite`, and for `MySQL`, which the harness downloads by itself.
    ///
    /// # Errors
    /// The first program that is not installed.
    pub fn programs(self) -> Result<Vec<PathBuf>, Missing> {
        let (package, names): (_, &[&'static str]) = match self {
            Self::Sqlite | Self::MySql => ("", &[]),
            Self::Postgres => ("postgresql", &["initdb", "postgres"]),
            Self::MariaDb => ("mariadb-server", &["mariadb-install-db", "mariadbd"]),
        };
        let mut folders = folders();
        let mut found: Vec<PathBuf> = Vec::new();
        for &program in names {
            let path = folders
                .iter()
                .map(|folder| folder.join(program))
                .find(|path| path.is_file())
                .ok_or(Missing {
                    engine: self,
                    program,
                    package,
                })?;
            // What lies beside the first program has the same version as it.
            folders.splice(0..0, path.parent().map(Path::to_path_buf));
            found.push(path);
        }
        Ok(found)
    }

    /// What clusters of it need beside a server: programs and libraries, by their packages.
    const fn cluster_parts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sqlite | Self::MySql => &[],
            Self::Postgres => &[
                ("pg_basebackup", "postgresql-client"),
                ("pgbouncer", "pgbouncer"),
            ],
            Self::MariaDb => &[
                ("libgalera_smm.so", "galera-4"),
                ("rsync", "rsync"),
                ("lsof", "lsof"),
            ],
        }
    }

    /// Where a part of a cluster is: a program or library of `Self::cluster_parts`.
    ///
    /// # Errors
    /// If it is not installed.
    #[allow(dead_code, reason = "the task runner only asks what is missing")]
    pub fn cluster_part(self, program: &'static str) -> Result<PathBuf, Missing> {
        let mut parts = self.cluster_parts().iter();
        let package = parts
            .find(|part| part.0 == program)
            .map_or("", |part| part.1);
        let found = folders().into_iter().map(|folder| folder.join(program));
        found
            .into_iter()
            .find(|path| path.is_file())
            .ok_or(Missing {
                engine: self,
                program,
                package,
            })
    }

    /// Everything that is not installed and that the tests on this engine need.
    #[allow(dead_code, reason = "only the task runner asks")]
    pub fn missing(self) -> Vec<Missing> {
        let parts = self.cluster_parts().iter();
        let parts = parts.filter_map(|(program, _)| self.cluster_part(program).err());
        self.programs().err().into_iter().chain(parts).collect()
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::EVERY
            .into_iter()
            .find(|engine| engine.name() == name)
            .ok_or_else(|| {
                let allowed = Self::EVERY.map(Self::name).join(", ");
                format!("`{name}` is not an engine; allowed: {allowed}")
            })
    }
}

/// An engine that cannot be used because one of its programs is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The engine that cannot be used.
    pub engine: Engine,
    /// The program that was not found.
    pub program: &'static str,
    /// The Debian package that holds the program.
    pub package: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            engine,
            program,
            package,
        } = self;
        write!(
            f,
            "{engine} is not installed: no `{program}` in PATH, /usr/sbin, /usr/lib/galera or \
             /usr/lib/postgresql/*/bin; on Debian: apt-get install {package}"
        )
    }
}

impl std::error::Error for Missing {}

/// Where programs are looked for: `PATH`, the folders of system services (often not in the `PATH`
/// of an ordinary user), and Debian's `PostgreSQL` versions, newest first.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    let of_system = [
        "/usr/sbin",
        "/usr/local/sbin",
        "/usr/bin",
        "/usr/lib/galera",
    ];
    folders.extend(of_system.map(PathBuf::from));

    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let entries = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut versions: Vec<_> = entries.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| std::cmp::Reverse(version(path)));
    folders.extend(versions.into_iter().map(|path| path.join("bin")));
    folders
}
