//! Which file a connection writes to: `SQLite` lets one writer at a time into each.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use sea_orm::{DatabaseConnection, DatabaseConnectionType};

use crate::builder::identity;

/// What all connections of this process to one database have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum File {
    /// Its path, without links.
    Path(PathBuf),
    /// It has none that others could find: its pool.
    Pool(Option<u64>),
}

/// The file behind a pool of `SQLite`; `None` for other engines.
pub(crate) fn of(connection: &DatabaseConnection) -> Option<File> {
    let DatabaseConnectionType::SqlxSqlitePoolConnection(_) = &connection.inner else {
        return None;
    };
    let options = connection.get_sqlite_connection_pool().connect_options();
    let name = options.get_filename();
    Some(match name.to_str() {
        // In memory, or a URI, which can say that it is.
        Some(text) if text.is_empty() || text == ":memory:" || text.starts_with("file:") => {
            File::Pool(identity(connection))
        }
        _ => File::Path(resolved(name)),
    })
}

/// The path without links, also where the file is still to be made.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let name = path.file_name().map(OsString::from).unwrap_or_default();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    folder
        .canonicalize()
        .map_or_else(|_| path.to_owned(), |folder| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_path_also_before_it_is_made() -> std::io::Result<()> {
        let folder = std::env::temp_dir().join(format!("resilient-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let (straight, around) = (
            folder.join("a.db"),
            folder
                .join("../")
                .join(folder.file_name().unwrap_or_default())
                .join("a.db"),
        );
        let before = resolved(&around);
        assert_eq!(before, resolved(&straight));
        std::fs::write(&straight, "")?;
        assert_eq!(before, resolved(&around));
        std::fs::remove_dir_all(&folder)
    }
}
