//! The wrapped command: says in the journal that it begins and that it ends, and in between does to its wrapper
//! what it was told.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::parent_id;
use std::process::{Command, ExitCode};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{target, worker};

/// What a wrapped command does besides holding.
pub mod manner {
    /// Nothing.
    pub const PLAIN: &str = "plain";
    /// Kills its wrapper while it holds, and goes on.
    pub const ORPHAN: &str = "orphan";
    /// Dies by SIGKILL when it is done.
    pub const KILLED: &str = "killed";
    /// Runs another one under what it holds.
    pub const NESTED: &str = "nested";
    /// Is asked to end, and ends when it is done.
    pub const CANCELLED: &str = "cancelled";
}

/// Names the deployment inside which this one is.
const INSIDE: &str = "SOAK_INSIDE";

/// Its life. `options` are its deployment's.
pub fn run(journal: &str, expected: &str, hold: &str, manner: &str, options: &[&str]) -> ExitCode {
    if manner == manner::CANCELLED {
        let asked = std::sync::Arc::default();
        signal_hook::flag::register(signal_hook::consts::SIGTERM, asked).expect("a signal to be taken");
    }
    let path = journal;
    let hold = Duration::from_micros(crate::number(hold));
    let id = variable("DEPLOYLOCK_ID");
    let wrapper = parent_id();
    let mut journal = open(journal);
    let claimed = variable("DEPLOYLOCK_LOCKS");
    let mut claimed: Vec<&str> = claimed.split(' ').collect();
    claimed.sort_unstable();
    let wanted: Vec<&str> = target::read(expected).map(|(name, _)| name).collect();
    if claimed != wanted {
        say(&mut journal, &format!("wrong {id} holds {claimed:?}, not {wanted:?}\n"));
    }
    let inside = std::env::var(INSIDE).unwrap_or_default();
    begin(&mut journal, &id, &variable("DEPLOYLOCK_TOKEN"), expected, &inside);
    if manner == manner::NESTED {
        let mut nested = Command::new(worker::program());
        nested.args(["run", "--no-wait"]).args(options).arg("--");
        nested.arg(std::env::current_exe().expect("our own program"));
        nested.args(["child", path, expected, "0", manner::PLAIN]).env(INSIDE, &id);
        let said = nested.output().expect("a program to run");
        if !said.status.success() {
            say(&mut journal, &format!("wrong {id}: inside it: {said:?}\n"));
        }
    }
    std::thread::sleep(hold / 2);
    if manner == manner::ORPHAN && is_wrapper(wrapper) {
        kill(wrapper);
    }
    std::thread::sleep(hold / 2);
    end(&mut journal, &id);
    if manner == manner::KILLED {
        kill(std::process::id());
    }
    ExitCode::SUCCESS
}

/// The journal; every line is one write to its end, so that their order is the order in which things were so.
pub fn open(path: &str) -> File {
    OpenOptions::new().append(true).open(path).expect("the journal")
}

/// From here on it holds, perhaps inside another.
pub fn begin(journal: &mut File, id: &str, token: &str, expected: &str, inside: &str) {
    say(journal, &format!("begin {id} {token} {expected} {inside}\n"));
}

/// Until here it held.
pub fn end(journal: &mut File, id: &str) {
    say(journal, &format!("end {id}\n"));
}

fn say(journal: &mut File, line: &str) {
    let written = journal.write(line.as_bytes()).expect("a journal that can be written");
    assert_eq!(written, line.len(), "in one piece");
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// Whoever adopts an orphan is to be left alone.
fn is_wrapper(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "deploylock")
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process");
    // Gone already: the driver was quicker.
    let _ = kill_process(pid, Signal::KILL);
}
