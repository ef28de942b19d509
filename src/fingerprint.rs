//! The fingerprint of files that are deployed: the same on every node that deploys the same.
//!
//! Names count without the folder they lie in, since nodes keep them in different places; so does what is in the
//! files; their order, times and permissions do not. What a fingerprint is good for is not known here.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A file or folder that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the resource {}: {source}; correct --resource", path.display())]
pub struct FingerprintError {
    /// Which one.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// `sha256:` and 64 hexadecimal digits, over the names and contents of these files and of all files below these
/// folders.
///
/// # Errors
/// Which one cannot be read, or is neither file nor folder.
pub fn of(resources: &[PathBuf]) -> Result<String, FingerprintError> {
    let mut parts = Vec::new();
    for path in resources {
        let name = path.file_name().map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default();
        add(path, name, &mut parts)?;
    }
    parts.sort();
    let mut whole = Sha256::new();
    for (name, content) in parts {
        whole.update((name.len() as u64).to_be_bytes());
        whole.update(&name);
        whole.update(content);
    }
    Ok(format!("sha256:{}", hex(&whole.finalize())))
}

type Part = (Vec<u8>, [u8; 32]);

fn add(path: &Path, name: Vec<u8>, parts: &mut Vec<Part>) -> Result<(), FingerprintError> {
    let wrong = |source| FingerprintError { path: path.to_owned(), source };
    let kind = fs::metadata(path).map_err(wrong)?;
    if kind.is_file() {
        parts.push((name, content(path).map_err(wrong)?));
        return Ok(());
    }
    if !kind.is_dir() {
        return Err(wrong(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a folder")));
    }
    for entry in fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let below = [&name, b"/".as_slice(), entry.file_name().as_encoded_bytes()].concat();
        add(&entry.path(), below, parts)?;
    }
    Ok(())
}

fn content(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 1 << 16];
    loop {
        match file.read(&mut bytes) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(n) => hash.update(&bytes[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn names_and_contents_count_and_nothing_else() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let all = |folder: &Path| vec![file(folder, "a.bpmn", "one"), file(folder, "b.bpmn", "two")];
        let (ours, mut theirs) = (all(here.path()), all(there.path()));
        theirs.reverse();
        assert_eq!(of(&ours).unwrap(), of(&theirs).unwrap(), "order and folder do not count");
        let before = of(&ours).unwrap();
        assert!(before.starts_with("sha256:") && before.len() == 7 + 64, "{before}");
        file(here.path(), "b.bpmn", "twO");
        assert_ne!(of(&ours).unwrap(), before, "contents count");
        let swapped = [file(there.path(), "a.bpmn", "two"), file(there.path(), "b.bpmn", "one")];
        assert_ne!(of(&swapped).unwrap(), before, "which is which counts");
        assert_ne!(of(&theirs[..1]).unwrap(), of(&theirs).unwrap(), "how many counts");
    }

    #[test]
    fn folders_count_with_all_that_is_in_them() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = |at: &Path| {
            file(at, "app/x/1", "1");
            file(at, "app/y", "2");
            vec![at.join("app")]
        };
        assert_eq!(of(&folder(here.path())).unwrap(), of(&folder(there.path())).unwrap());
        file(there.path(), "app/x/2", "");
        assert_ne!(of(&folder(here.path())).unwrap(), of(&[there.path().join("app")]).unwrap());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = of(&[PathBuf::from("nowhere/x.jar")]).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the resource nowhere/x.jar: "), "{error}");
    }
}
