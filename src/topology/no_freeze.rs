//! `[[environments.E.freeze]]` in a build without the cargo feature `calendar`: refused. To pass over a window would
//! be to let deployments start that somebody has forbidden.

use super::error::{Source, TopologyError};
use super::read::Table;
#[cfg(not(feature = "calendar"))]
use super::{Topology, Warning};
use crate::freeze::Window;

/// None, or the error that there are some.
pub(super) fn windows<'a>(
    source: &'a Source<'a>,
    environment: &Table<'a>,
) -> Result<Vec<Window>, TopologyError> {
    match environment.list("freeze")?.first() {
        None => Ok(Vec::new()),
        Some(entry) => {
            let why = "freeze windows need the cargo feature `calendar`, which this build of deploylock lacks: \
                       build it with `cargo install deploylock --features calendar`";
            Err(source.error(&entry.place, why))
        }
    }
}

/// Without windows nothing is odd about them.
#[cfg(not(feature = "calendar"))]
pub(super) fn warnings(_: &Topology, _: std::time::SystemTime) -> Vec<Warning> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toml::de::DeTable;

    use super::*;

    fn read(text: &str) -> Result<Vec<Window>, TopologyError> {
        let source = Source::new(Path::new("deploylock.toml"), text);
        let tree = DeTable::parse(text).unwrap();
        let top = Table::whole(&source, tree.get_ref(), &["environments"])?;
        let prod = &top.entries("environments")?[0];
        windows(&source, &Table::of(&source, prod, &["freeze", "engine"])?)
    }

    #[test]
    fn windows_are_refused_where_they_stand_by_the_name_of_the_feature() {
        let error = read("[environments.prod]\n[[environments.prod.freeze]]\nreason = 'x'\n").unwrap_err();
        assert_eq!((error.line, error.message.contains("cargo feature `calendar`")), (2, true), "{error}");
    }

    #[test]
    fn without_windows_nothing_is_refused() {
        for text in ["[environments.prod]\nengine = 'bpm'\n", "[environments.prod]\nfreeze = []\n"] {
            assert_eq!(read(text).unwrap(), [], "{text}");
        }
    }
}
