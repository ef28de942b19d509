//! The committed corpus of the fuzz targets, run on stable: each file as it is, cut at every place, and with each byte
//! changed. `cargo fuzz run TARGET` (nightly, in `fuzz/`) goes on from the same files.

use std::fs;
use std::path::Path;

#[path = "../fuzz/properties.rs"]
mod properties;

/// Longer files are not cut and changed at every byte, but at so many places.
const PLACES: usize = 400;

fn run(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let (mut files, mut inputs) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        property(&bytes);
        (files, inputs) = (files + 1, inputs + 1);
        let step = bytes.len().div_ceil(PLACES).max(1);
        for at in (0..bytes.len()).step_by(step) {
            property(&bytes[..at]);
            for other in [0, b'\n', b'"', b'%', b'/', bytes[at] ^ 1, bytes[at] ^ 0x80] {
                let mut changed = bytes.clone();
                changed[at] = other;
                property(&changed);
            }
            inputs += 8;
        }
    }
    println!("{target}: {files} files, {inputs} inputs");
    assert!(files > 3, "{target} has a corpus");
}

#[test]
fn topology() {
    run("topology", properties::topology);
}

#[test]
fn record() {
    run("record", properties::record);
}

#[test]
fn queue() {
    run("queue", properties::queue);
}

#[test]
fn names() {
    run("names", properties::names);
}
