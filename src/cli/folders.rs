//! The user's own folders: where a topology and a lock directory are when nobody says otherwise.

use std::path::PathBuf;

/// The name of our folder in each of them.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
const OURS: &str = "deploylock";

/// The folders of the user.
#[derive(Debug, PartialEq, Eq)]
pub struct Folders {
    /// Of settings.
    pub config: PathBuf,
    /// Of what a program keeps.
    pub state: PathBuf,
}

/// By the XDG Base Directory Specification: an absolute path in the variable, else the one below the home folder.
///
/// The crate `directories` says the same, which a test holds. But it asks the C library for a home folder where
/// `$HOME` says none, and that library's name service has no place in a static program: it loads its modules from
/// the machine, of another version perhaps, and is a tenth of the program by size.
#[cfg(target_os = "linux")]
pub fn of_user() -> Option<Folders> {
    let home = crate::process::home()?;
    let folder = |variable: &str, below_home: &str| {
        let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        named.unwrap_or_else(|| home.join(below_home)).join(OURS)
    };
    Some(Folders {
        config: folder("XDG_CONFIG_HOME", ".config"),
        state: folder("XDG_STATE_HOME", ".local/state"),
    })
}

/// As the system has them.
#[cfg(not(target_os = "linux"))]
pub fn of_user() -> Option<Folders> {
    let folders = directories::ProjectDirs::from("", "", OURS)?;
    let state = folders.state_dir().unwrap_or(folders.data_local_dir()).to_owned();
    Some(Folders { config: folders.config_dir().to_owned(), state })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn they_are_where_other_programs_have_theirs() {
        let theirs = directories::ProjectDirs::from("", "", OURS).unwrap();
        let theirs =
            Folders { config: theirs.config_dir().to_owned(), state: theirs.state_dir().unwrap().to_owned() };
        assert_eq!(of_user(), Some(theirs));
    }
}
