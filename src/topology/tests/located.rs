//! Which file is found.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::locate::{Found, LocateError, Search, find};

/// A folder `work/sub` to stand in, and the places around it.
struct Places {
    root: TempDir,
    search: Search,
}

impl Places {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("work/sub")).unwrap();
        let search = Search {
            explicit: None,
            cwd: at("work/sub"),
            user_config: Some(at("config/deploylock.toml")),
            system: at("etc/deploylock.toml"),
        };
        Places { root, search }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), path).unwrap();
    }

    #[track_caller]
    fn finds(&self, path: &str) {
        let expected = Found::File { path: self.at(path), text: path.to_owned() };
        assert_eq!(find(&self.search).unwrap(), expected);
    }
}

#[test]
fn the_first_that_exists() {
    let mut places = Places::new();
    for path in
        ["etc/deploylock.toml", "config/deploylock.toml", "work/deploylock.toml", "work/sub/deploylock.toml"]
    {
        places.write(path);
        places.finds(path);
    }
    places.write("named.toml");
    places.search.explicit = Some(places.at("named.toml"));
    places.finds("named.toml");
}

#[test]
fn nowhere_says_where() {
    let places = Places::new();
    let Found::Nowhere { looked } = find(&places.search).unwrap() else { panic!() };
    assert_eq!(looked[..2], [places.at("work/sub/deploylock.toml"), places.at("work/deploylock.toml")]);
    assert!(looked.ends_with(&[places.at("config/deploylock.toml"), places.at("etc/deploylock.toml")]));
}

#[test]
fn the_named_one_must_exist() {
    let mut places = Places::new();
    places.write("etc/deploylock.toml");
    let named = places.at("named.toml");
    places.search.explicit = Some(named.clone());
    let error = find(&places.search).unwrap_err();
    assert!(matches!(&error, LocateError::Missing { path } if *path == named));
    assert!(error.to_string().ends_with("named.toml does not exist: correct --config or DEPLOYLOCK_CONFIG"));
}

#[test]
fn what_cannot_be_read_is_not_passed_over() {
    let places = Places::new();
    places.write("etc/deploylock.toml");
    fs::create_dir(places.at("work/deploylock.toml")).unwrap();
    let error = find(&places.search).unwrap_err();
    assert!(
        matches!(&error, LocateError::Unreadable { path, .. } if *path == places.at("work/deploylock.toml"))
    );
}

#[test]
fn a_file_where_a_folder_should_be_is_no_topology() {
    let places = Places::new();
    places.write("config");
    places.write("etc/deploylock.toml");
    places.finds("etc/deploylock.toml");
}

#[test]
fn only_utf8() {
    let places = Places::new();
    fs::write(places.at("work/deploylock.toml"), b"[store]\n# \xe4\n").unwrap();
    let error = find(&places.search).unwrap_err();
    assert!(matches!(error, LocateError::NotUtf8 { line: 2, .. }), "{error}");
}

/// Needs a user whom permissions bind.
#[cfg(unix)]
#[test]
fn permissions() {
    use std::os::unix::fs::PermissionsExt;
    let places = Places::new();
    places.write("config/deploylock.toml");
    places.write("etc/deploylock.toml");
    let close = |path: &str| fs::set_permissions(places.at(path), fs::Permissions::from_mode(0o000)).unwrap();
    close("config/deploylock.toml");
    if fs::File::open(places.at("config/deploylock.toml")).is_ok() {
        return; // root
    }
    assert!(matches!(find(&places.search), Err(LocateError::Unreadable { .. })));
    close("config");
    places.finds("etc/deploylock.toml");
    fs::set_permissions(places.at("config"), fs::Permissions::from_mode(0o700)).unwrap();
}
