//! Which topology file is used, and what it says.
//!
//! A file is looked for by opening it: one system call for each place, and no moment between finding and
//! reading. What the text means is `parse`'s.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::FILE_NAME;

/// The file for the whole machine.
pub const SYSTEM_FILE: &str = "/etc/deploylock/deploylock.toml";

/// Where to look.
#[derive(Debug, Clone)]
pub struct Search {
    /// `--config`, else `DEPLOYLOCK_CONFIG`: no other place counts then.
    pub explicit: Option<PathBuf>,
    /// The current folder; it and its parents are looked in.
    pub cwd: PathBuf,
    /// The file in the user's config folder.
    pub user_config: Option<PathBuf>,
    /// The file for the whole machine, [`SYSTEM_FILE`].
    pub system: PathBuf,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The first that exists.
    File {
        /// Its path.
        path: PathBuf,
        /// What it says.
        text: String,
    },
    /// None exists.
    Nowhere {
        /// The places looked at, in order.
        looked: Vec<PathBuf>,
    },
}

/// A topology file that cannot be used although it should.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// The one that was named does not exist.
    #[error("the topology file {} does not exist: correct --config or DEPLOYLOCK_CONFIG", .path.display())]
    Missing {
        /// Its path.
        path: PathBuf,
    },
    /// It exists, or may exist, and cannot be read. Passing over it could mean passing over a lock.
    #[error("the topology file {} cannot be read ({cause}): correct that, or name another with --config", .path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is not UTF-8, which TOML is.
    #[error("the topology file {} is not UTF-8 (line {line}): save it as UTF-8", .path.display())]
    NotUtf8 {
        /// Its path.
        path: PathBuf,
        /// The line of the first wrong byte, counted from 1.
        line: usize,
    },
}

/// Finds the topology file and reads it.
///
/// # Errors
/// The named file is missing, or the first that exists cannot be read.
pub fn find(search: &Search) -> Result<Found, LocateError> {
    if let Some(path) = &search.explicit {
        let text = read(path)?.ok_or_else(|| LocateError::Missing { path: path.clone() })?;
        return Ok(Found::File { path: path.clone(), text });
    }
    let mut looked = Vec::with_capacity(8);
    for path in candidates(search) {
        // By their text: names that differ in it and mean the same are only looked at twice.
        if looked.iter().any(|before: &PathBuf| before.as_os_str() == path.as_os_str()) {
            continue;
        }
        let text = match read(&path) {
            Err(LocateError::Unreadable { cause, .. }) if out_of_reach(search, &path, &cause) => None,
            other => other?,
        };
        match text {
            Some(text) => return Ok(Found::File { path, text }),
            None => looked.push(path),
        }
    }
    Ok(Found::Nowhere { looked })
}

fn candidates(search: &Search) -> impl Iterator<Item = PathBuf> {
    let upwards = search.cwd.ancestors().map(|folder| {
        // Each run comes by here: room for all of it at once.
        let mut path = PathBuf::with_capacity(folder.as_os_str().len() + 1 + FILE_NAME.len());
        path.extend([folder, Path::new(FILE_NAME)]);
        path
    });
    upwards.chain(search.user_config.clone()).chain([search.system.clone()])
}

/// The text of a file, `None` where there is none.
fn read(path: &Path) -> Result<Option<String>, LocateError> {
    let unreadable = |cause| LocateError::Unreadable { path: path.to_owned(), cause };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(cause) => return Err(unreadable(cause)),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        LocateError::NotUtf8 { path: path.to_owned(), line }
    })
}

/// Whether this is the user's file in a folder that the user may not even enter, as where cron or `su` left
/// another user's `HOME`: then it is not this user's file.
fn out_of_reach(search: &Search, path: &Path, cause: &io::Error) -> bool {
    let denied = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
    search.user_config.as_deref() == Some(path)
        && denied(cause)
        && path.symlink_metadata().is_err_and(|error| denied(&error))
}
