//! The layer table of `docs/design.md`, held against the `use` lines of the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer and what it may use of this crate. `tests` modules may use what they test with.
const LAYERS: [(&str, &[&str]); 21] = [
    ("model", &[]),
    ("deployment", &["model"]),
    ("clock", &[]),
    ("freeze", &[]),
    ("topology", &["model", "freeze"]),
    ("policy", &["model", "topology"]),
    ("engine", &["model", "deployment"]),
    ("poll", &[]),
    ("process", &["deployment", "poll"]),
    ("fingerprint", &[]),
    ("liveness", &["model", "deployment", "process"]),
    ("store", &["model", "deployment", "clock", "engine", "process", "liveness"]),
    ("ops", &["model", "deployment", "clock", "freeze", "engine", "poll", "process", "liveness", "store"]),
    ("spawn", &[]),
    ("tied", &["spawn"]),
    ("signals", &["ops"]),
    ("hook", &["clock", "poll", "process", "ops", "spawn"]),
    ("command", &["deployment", "clock", "poll", "process", "ops", "signals", "spawn", "store"]),
    ("output", &["model", "deployment", "clock", "freeze", "engine", "ops"]),
    (
        "cli",
        &[
            "model",
            "deployment",
            "clock",
            "freeze",
            "topology",
            "policy",
            "engine",
            "poll",
            "process",
            "store",
            "ops",
            "signals",
            "hook",
            "command",
            "spawn",
            "tied",
            "fingerprint",
            "output",
        ],
    ),
    ("main", &["cli"]),
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn layer_of(source: &Path) -> String {
    let first = source.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn each_layer_uses_only_what_stands_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&root, &mut all);
    let mut wrong = Vec::new();
    for path in all {
        let source = path.strip_prefix(&root).unwrap();
        let layer = layer_of(source);
        let tests = source.to_string_lossy().contains("tests");
        if layer == "lib" || tests {
            continue;
        }
        let known = LAYERS.iter().find(|(name, _)| *name == layer);
        let (_, allowed) = known.unwrap_or_else(|| panic!("{layer} is not in the table"));
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (at, naming) in code.match_indices("crate::") {
            let rest = &code[at + naming.len()..];
            // One, or several in braces.
            let several = rest.strip_prefix('{').and_then(|group| group.split('}').next());
            for used in several.unwrap_or(rest).split(',').take(several.map_or(1, str::len)) {
                let word = |c: &char| c.is_ascii_lowercase() || *c == '_';
                let used: String = used.trim_start().chars().take_while(word).collect();
                if !used.is_empty() && used != layer && !allowed.contains(&used.as_str()) {
                    let number = code[..at].lines().count();
                    wrong.push(format!("{}:{number}: {layer} uses {used}", source.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_layer_below_the_command_line_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&root, &mut all);
    for path in all {
        if layer_of(path.strip_prefix(&root).unwrap()) == "cli" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for word in ["println!", "eprintln!", "print!(", "eprint!(", "io::stdout", "io::stderr"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}
