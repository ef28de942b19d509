//! The user's own folders: where a topology and a lock directory are when nobody says otherwise.

use std::path::PathBuf;

/// The name of our folder in each of them.
const OURS: &str = "deploylock";

/// Of settings.
pub fn config() -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    return folder("XDG_CONFIG_HOME", ".config");
    #[cfg(not(target_os = "linux"))]
    return Some(of_system()?.config_dir().to_owned());
}

/// Of what a program keeps.
pub fn state() -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    return folder("XDG_STATE_HOME", ".local/state");
    #[cfg(not(target_os = "linux"))]
    return of_system().map(|folders| folders.state_dir().unwrap_or(folders.data_local_dir()).to_owned());
}

/// By the XDG Base Directory Specification: an absolute path in the variable, else the one below the home folder.
///
/// The crate `directories` says the same, which a test holds. But it asks the C library for a home folder where
/// `$HOME` says none, and that library's name service has no place in a static program: it loads its modules from
/// the machine, of another version perhaps, and is a tenth of the program by size.
#[cfg(target_os = "linux")]
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let home = crate::process::home()?;
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let mut path = named.unwrap_or_else(|| home.join(below_home));
    path.push(OURS);
    Some(path)
}

/// As the system has them.
#[cfg(not(target_os = "linux"))]
fn of_system() -> Option<directories::ProjectDirs> {
    directories::ProjectDirs::from("", "", OURS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn they_are_where_other_programs_have_theirs() {
        let theirs = directories::ProjectDirs::from("", "", OURS).unwrap();
        assert_eq!(config().as_deref(), Some(theirs.config_dir()));
        assert_eq!(state().as_deref(), theirs.state_dir());
    }
}
