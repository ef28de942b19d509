//! The table of verdicts, row by row.

use super::*;
use crate::deployment::{Id, Place, Process};
use crate::model::Operation;
use std::time::SystemTime;

fn record() -> Deployment {
    Deployment {
        id: Id::new(1, 1),
        token: Some(1),
        arrival: 1,
        environment: None,
        application: None,
        version: None,
        operation: Operation::Deploy,
        containers: Vec::new(),
        locks: Vec::new(),
        owner: "me".into(),
        place: Place { host: "here".into(), ..Place::default() },
        process: Process { pid: 10, start: 1 },
        owner_process: None,
        command: Command::None,
        reason: None,
        url: None,
        requested: SystemTime::UNIX_EPOCH,
        since: SystemTime::UNIX_EPOCH,
        ttl: None,
        expires: None,
        parent: None,
        ancestors: Vec::new(),
        on_crash: Keep::Release,
        on_failure: Keep::Release,
        failed: None,
        blocked_at: Vec::new(),
        cancelled: false,
        kill_after: None,
        has_nested: false,
    }
}

fn running() -> Deployment {
    Deployment { command: Command::Running(Process { pid: 11, start: 2 }), ..record() }
}

fn starting() -> Deployment {
    Deployment { command: Command::Starting, ..record() }
}

fn owned() -> Deployment {
    Deployment { owner_process: Some(Process { pid: 12, start: 3 }), ..record() }
}

/// On this kernel, in this pid namespace, the record's lock free, everybody gone.
const NOBODY: Evidence = Evidence {
    locked: false,
    kernel: Kernel::Ours,
    same_numbers: true,
    process: Presence::Gone,
    command: Presence::Gone,
    owner: Presence::Gone,
    expired: false,
    parent_ended: false,
    descendant: None,
};

/// As short as a table needs it.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Alive(_) => "alive",
        Verdict::Lingering(_) => "lingering",
        Verdict::Unbound => "unbound",
        Verdict::Kept(_) => "kept",
        Verdict::Unknown(_) => "unknown",
        Verdict::Dead(_) => "dead",
    }
}

#[test]
fn the_table_of_verdicts() {
    use Presence::{Exists, Unknown};
    use State::{Attached, Detached, Paused, Waiting};
    let held = Deployment { on_crash: Keep::Hold, ..record() };
    let failed = Deployment { failed: Some(3), ..record() };
    let failed_too = failed.clone();
    let cancelled = Deployment { cancelled: true, on_crash: Keep::Hold, ..running() };
    let other =
        Evidence { same_numbers: false, process: Unknown, command: Unknown, owner: Unknown, ..NOBODY };
    let over = Evidence { kernel: Kernel::Over, ..other };
    let another = Evidence { kernel: Kernel::Another, ..other };
    let rows = [
        // The advisory lock is held: alive, whatever a pid or a ttl says.
        ("locked", Attached, record(), Evidence { locked: true, process: Exists, ..NOBODY }, "alive"),
        (
            "locked, wrapper killed",
            Attached,
            running(),
            Evidence { locked: true, command: Exists, ..NOBODY },
            "alive",
        ),
        ("locked by a descendant", Attached, running(), Evidence { locked: true, ..NOBODY }, "lingering"),
        ("locked elsewhere", Attached, running(), Evidence { locked: true, ..other }, "alive"),
        (
            "locked and expired",
            Attached,
            running(),
            Evidence { locked: true, expired: true, process: Exists, ..NOBODY },
            "alive",
        ),
        (
            "a waiter that lives",
            Waiting,
            record(),
            Evidence { locked: true, process: Exists, ..NOBODY },
            "alive",
        ),
        // It is free: dead, if no command can be running without it.
        ("a dead acquire", Attached, record(), NOBODY, "dead"),
        ("a dead waiter", Waiting, record(), NOBODY, "dead"),
        ("wrapper and command gone", Attached, running(), NOBODY, "dead"),
        (
            "the command closed it and lives",
            Attached,
            running(),
            Evidence { command: Exists, ..NOBODY },
            "alive",
        ),
        ("and cannot be seen", Attached, running(), Evidence { command: Unknown, ..NOBODY }, "unknown"),
        (
            "past its ttl without a wrapper",
            Attached,
            running(),
            Evidence { command: Exists, expired: true, ..NOBODY },
            "dead",
        ),
        ("killed while starting", Attached, starting(), NOBODY, "dead"),
        ("started a moment ago", Attached, starting(), Evidence { command: Exists, ..NOBODY }, "alive"),
        ("perhaps started", Attached, starting(), Evidence { command: Unknown, ..NOBODY }, "unknown"),
        ("in another pid namespace", Attached, running(), other, "dead"),
        ("of an earlier boot", Attached, running(), over, "dead"),
        ("of an earlier boot, waiting", Waiting, record(), over, "dead"),
        ("of another host", Attached, running(), another, "unknown"),
        ("on_crash = hold", Attached, held.clone(), NOBODY, "kept"),
        ("on_crash = hold, rebooted", Attached, held.clone(), over, "kept"),
        ("on_crash = hold, waiting", Waiting, held, NOBODY, "dead"),
        // Bound to no process.
        ("acquired", Detached, record(), NOBODY, "unbound"),
        ("acquired, rebooted", Detached, record(), over, "unbound"),
        ("acquired elsewhere", Detached, record(), another, "unbound"),
        ("past its ttl", Detached, record(), Evidence { expired: true, ..NOBODY }, "dead"),
        ("failed and kept", Detached, failed, NOBODY, "kept"),
        ("its owner lives", Detached, owned(), Evidence { owner: Exists, ..NOBODY }, "alive"),
        ("its owner is gone", Detached, owned(), NOBODY, "dead"),
        ("its owner's boot is over", Detached, owned(), over, "dead"),
        ("its owner is on another host", Detached, owned(), another, "unknown"),
        ("its owner is in another namespace", Detached, owned(), other, "unknown"),
        ("its parent ended", Detached, record(), Evidence { parent_ended: true, ..NOBODY }, "dead"),
        (
            "failed, and its parent ended",
            Detached,
            failed_too,
            Evidence { parent_ended: true, ..NOBODY },
            "kept",
        ),
        ("killed while it was taken over", Detached, starting(), NOBODY, "kept"),
        ("cancelled, and crashed", Attached, cancelled, NOBODY, "dead"),
        ("paused", Paused, record(), NOBODY, "unbound"),
    ];
    for (name, state, record, evidence, expected) in rows {
        let verdict = judge(state, &record, &evidence);
        assert_eq!(word(&verdict), expected, "{name}: {verdict:?}");
    }
}
