//! Snapshots of what a command says.

use crate::harness::{Said, Scene};
use crate::redact::redacted;

/// Runs a command and holds what it says against the snapshot of this name.
#[track_caller]
pub fn told(scene: &Scene, name: &str, args: &[&str]) {
    let said = scene.run(args);
    holds(scene, name, &args.join(" "), &said);
}

/// Holds what was said against the snapshot of this name.
#[track_caller]
pub fn holds(scene: &Scene, name: &str, what: &str, said: &Said) {
    let folder = scene.root().to_str().unwrap();
    let (out, err) = (redacted(&said.out, folder), redacted(&said.err, folder));
    let what = redacted(what, folder);
    text(
        name,
        &format!("$ deploylock {what}\nexit code: {}\n--- stdout\n{out}\n--- stderr\n{err}", said.code),
    );
}

/// Holds a text against the snapshot of this name.
#[track_caller]
pub fn text(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
