//! The system says no: every error that a call can return, at every call of every command. The outcome is success,
//! or a clear message and exit status 1; never a lock lost or half made, never a hang, never a panic.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::{Case, Stage, chosen};
use crate::harness::{Said, Scene};
use crate::points::{Point, bounded, in_parallel, injected, points, thorough};

/// What each call may answer: open(2), flock(2), … and what network file systems answer besides.
const ERRORS: &[(&[&str], &[&str])] = &[
    (
        &["open", "openat", "openat2"],
        &["EIO", "ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EINTR", "EROFS", "EACCES", "ESTALE"],
    ),
    (&["flock"], &["EINTR", "ENOLCK", "EIO", "ESTALE"]),
    (&["read", "pread64"], &["EIO", "EINTR", "ESTALE", "EACCES"]),
    (&["write", "pwrite64"], &["EIO", "ENOSPC", "EDQUOT", "EINTR", "ESTALE"]),
    (&["fsync", "fdatasync"], &["EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"]),
    (&["rename", "renameat", "renameat2"], &["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "ESTALE"]),
    (&["unlink", "unlinkat"], &["EIO", "EROFS", "EACCES", "ESTALE"]),
    (&["mkdir", "mkdirat"], &["EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "ESTALE"]),
    (&["fchmod", "fchmodat", "chmod"], &["EIO", "EROFS", "EPERM", "ESTALE"]),
    (&["ftruncate"], &["EIO", "EINTR", "EROFS", "ENOSPC"]),
    (&["stat", "fstat", "newfstatat", "statx"], &["EIO", "EACCES", "ESTALE"]),
    (&["fstatfs", "statfs"], &["EIO", "EINTR", "ESTALE"]),
    (&["getdents64"], &["EIO", "ESTALE", "EACCES"]),
    (&["readlink", "readlinkat"], &["EIO", "EACCES", "ESTALE"]),
    (&["close"], &["EIO", "EINTR", "ENOSPC", "EDQUOT"]),
    (&["fcntl", "dup", "dup2", "dup3"], &["EMFILE", "EINTR"]),
    (&["pipe2", "socketpair", "eventfd2", "timerfd_create"], &["EMFILE", "ENFILE"]),
    (&["inotify_init1"], &["EMFILE", "ENFILE"]),
    (&["inotify_add_watch"], &["ENOSPC", "EACCES", "ENOMEM"]),
    (&["pidfd_open"], &["EMFILE", "ENFILE", "ENOSYS"]),
    (&["poll", "ppoll", "wait4", "waitid"], &["EINTR"]),
    (&["clone", "clone3", "vfork", "fork"], &["EAGAIN", "ENOMEM"]),
];

/// An error at a call.
#[derive(Debug, Clone)]
pub struct Refusal {
    point: Point,
    error: &'static str,
}

impl Refusal {
    /// The binary, refused there.
    pub fn of(&self, scene: &Scene, args: &[&str]) -> Command {
        injected(scene, &self.point, &format!("error={}", self.error), args)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.error, self.point)
    }
}

fn errors_of(name: &str) -> &'static [&'static str] {
    ERRORS.iter().find(|(names, _)| names.contains(&name)).map_or(&[], |(_, errors)| errors)
}

/// Everything to be tried: all errors at every call, or for a short run one at each, every one in its turn.
pub fn refusals(points: &[Point], turn: &AtomicUsize) -> Vec<Refusal> {
    let mut all = Vec::new();
    let before = [None].into_iter().chain(points.iter().map(Some));
    for (point, before) in points.iter().zip(before) {
        let errors = errors_of(&point.name);
        // `strace` refuses by not making the call. Linux closes whatever it answers, and musl counts on that once: it reads
        // from a pipe whether the command could be started, having closed the other end.
        let starting = before.is_some_and(|before| before.name.starts_with("clone"));
        if errors.is_empty() || (starting && point.name == "close") {
            continue;
        }
        let first = turn.fetch_add(1, Ordering::SeqCst);
        let count = if thorough() { errors.len() } else { 1 };
        let chosen = (0..count).map(|i| errors[(first + i) % errors.len()]);
        all.extend(chosen.map(|error| Refusal { point: point.clone(), error }));
    }
    all
}

/// How many errors were tried on this command, and which went wrong.
fn refused_everywhere(case: &'static Case, turn: &AtomicUsize) -> (usize, Vec<String>) {
    let stage = Stage::set(case);
    let mut all = Vec::new();
    stage.play("undisturbed", |scene, args| {
        let (points, said) = points(scene, args);
        all = refusals(&points, turn);
        said
    });
    let wrecks = in_parallel(
        &all,
        || Stage::set(case),
        |stage, refusal| {
            let what = format!("{refusal}");
            let after = stage.play(&what, |scene, args| bounded(refusal.of(scene, args)));
            is_clear(case.name, refusal, &after.said);
        },
    );
    println!("{}: {} errors", case.name, all.len());
    (all.len(), wrecks.iter().map(|refusal| format!("{}: {refusal}", case.name)).collect())
}

/// Success, or one clear line and 1. A command that cannot be started is 126; a topology file that cannot be read 78.
pub fn is_clear(name: &str, refusal: &Refusal, said: &Said) {
    let what = format!("{name}: {refusal}: {said:?}");
    assert!(!said.err.contains("panicked") && !said.err.contains("RUST_BACKTRACE"), "{what}");
    let other = match said.code {
        126 => name.starts_with("run"),
        78 => said.err.contains("the topology file"),
        code => [0, 1].contains(&code),
    };
    assert!(other, "{what}");
    if said.code != 0 {
        let first = said.err.lines().next().unwrap_or_default();
        assert!(first.starts_with("deploylock: ") && first.len() > 30, "{what}");
        assert!(said.err.lines().count() <= 2, "{what}");
    }
}

#[test]
fn an_error_at_any_call_is_said_and_loses_nothing() {
    let turn = AtomicUsize::new(0);
    let (counts, wrecks): (Vec<usize>, Vec<Vec<String>>) =
        chosen().map(|case| refused_everywhere(case, &turn)).unzip();
    let total: usize = counts.iter().sum();
    println!("{total} errors in all");
    assert_eq!(wrecks.concat(), Vec::<String>::new());
    assert!(total > 500 || std::env::var_os("DEPLOYLOCK_WORST_CASE").is_some(), "{total}");
}
