//! What the benches of `benches/` measure still builds and does what it says: that package is too slow to build to be
//! built each time.

#[path = "../benches/cases/lib.rs"]
mod cases;

use std::process::Command;

use cases::pure::{self, Crowd};
use cases::store::{self, Relay, exclusive};

#[test]
fn the_pure_parts() {
    let example = pure::plan(&pure::topology(pure::EXAMPLE));
    let locks: Vec<String> = example.locks.iter().map(|l| l.request.lock.to_string()).collect();
    assert_eq!(locks.len(), 9, "every kind of lock but one by name: {locks:?}");
    assert_eq!(pure::plan(&pure::topology(&pure::wide(20))).locks.len(), 3 + 20);

    assert!(pure::decide(&mut Crowd::default()).blocks.is_empty());
    assert!(pure::decide(&mut Crowd::holding(20)).blocks.is_empty());
    assert!(!pure::decide(&mut Crowd::waiting(20)).blocks.is_empty());
    assert_eq!(pure::next(&mut Crowd::released(20)).len(), 1);

    let deployment = pure::deployment(3);
    let text = pure::write_record(&deployment);
    assert!(text.starts_with(&pure::write_head(&deployment)));
    assert_eq!(pure::read_record(&text), deployment);
    assert_eq!(pure::read_queue(&pure::write_queue(3)).lines.len(), 3);
    let name = pure::hard_name();
    assert_eq!(pure::encode(&name).1, Some(name));
}

#[test]
fn the_files_store() {
    let folder = tempfile::tempdir().unwrap();
    let files = store::open(folder.path());
    let locks = [exclusive("a"), exclusive("b")];
    store::hold_and_give_back(&files, &locks);
    store::hold_for_good_and_release(&files, &locks);
    assert_eq!(store::list(&files), 0);
    let floor = folder.path().join("floor");
    std::fs::create_dir(&floor).unwrap();
    store::sync_file_and_folder(&floor);
    assert_eq!(std::fs::read_dir(floor).unwrap().count(), 0);
    store::crowd(&files, 3);
    drop(Relay::set_up(folder.path(), 3).hand_over());
    assert_eq!(store::list(&files), 3);
}

#[test]
#[cfg(target_os = "linux")]
fn the_script() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures");
    let few = ["--rounds", "1", "--held", "3", "--quiet", "0", "--binary", env!("CARGO_BIN_EXE_deploylock")];
    let run = Command::new(script).args(["env-app", "durable", "many", "size"]).args(few).output().unwrap();
    let (lines, told) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{told}");
    assert_eq!(lines.lines().count(), 2 + 10, "{lines}");
}
