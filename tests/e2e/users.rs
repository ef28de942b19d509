//! Several users of one lock directory: a shared group, readers, strangers, root, sudo, and members who plant links.
//!
//! Users are numbers, put on by `setpriv`: nothing is added to the machine. Who is not root cannot be others: these
//! tests fail then.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Background, Said, Scene, eventually, said, signal};
use crate::steps::text;
use crate::tools::{soon, until_noted};

/// The group that shares the directory.
const GROUP: u32 = 5000;

/// Somebody: a number, and whether in the group.
#[derive(Clone, Copy)]
struct User {
    id: u32,
    member: bool,
}

const ALICE: User = User { id: 4001, member: true };
const BOB: User = User { id: 4002, member: true };
const CAROL: User = User { id: 4003, member: false };
const ROOT: User = User { id: 0, member: false };

/// A folder `srv` in which the group's lock directory is made with this mode.
fn shared(mode: &str) -> Scene {
    let own = fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(own, 0, "only root can be several users: run the tests as root");
    let topology = format!("[store]\ndirectory = \"srv/locks\"\nmode = \"{mode}\"\n");
    let scene = Scene::with_topology(&topology);
    fs::set_permissions(scene.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let made = scene.shell(
        "sh",
        &format!(
            "cp \"$(command -v deploylock)\" tool && chmod 755 tool && chmod 644 deploylock.toml && mkdir srv && \
             chgrp {GROUP} srv && chmod 2775 srv"
        ),
    );
    assert_eq!(made.code, 0, "{made:?}");
    scene
}

fn locks(scene: &Scene) -> PathBuf {
    scene.path("srv/locks")
}

impl User {
    fn command(self, scene: &Scene, args: &[&str]) -> Command {
        let tool = scene.path("tool");
        self.program(scene, &[&[tool.to_str().unwrap()], args].concat())
    }

    fn program(self, scene: &Scene, words: &[&str]) -> Command {
        let id = self.id.to_string();
        let mut command = scene.program("setpriv");
        command.args(["--reuid", &id, "--regid", &id]);
        match self.member {
            true => command.args(["--groups", &GROUP.to_string()]),
            false => command.arg("--clear-groups"),
        };
        command.arg("--").args(words).env_remove("DEPLOYLOCK_DIR").env("USER", format!("user-{id}"));
        command
    }

    fn run(self, scene: &Scene, args: &[&str]) -> Said {
        said(self.command(scene, args).output().unwrap())
    }

    #[track_caller]
    fn ok(self, scene: &Scene, args: &[&str]) -> String {
        let said = self.run(scene, args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.out.trim().to_owned()
    }

    /// Starts it with a standard input that stays open.
    fn start(self, scene: &Scene, args: &[&str]) -> Background {
        let mut command = self.command(scene, args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Background::of(command.spawn().unwrap())
    }

    /// The deployments in this state as this user sees them.
    fn sees(self, scene: &Scene, state: &str) -> Vec<serde_json::Value> {
        let list: serde_json::Value =
            serde_json::from_str(&self.ok(scene, &["list", "--format", "json"])).unwrap();
        list["deployments"].as_array().unwrap().iter().filter(|d| d["state"] == state).cloned().collect()
    }

    #[track_caller]
    fn until(self, scene: &Scene, state: &str, count: usize) -> Vec<serde_json::Value> {
        let mut seen = Vec::new();
        eventually(&format!("{count} {state}"), || {
            seen = self.sees(scene, state);
            seen.len() == count
        });
        seen
    }
}

#[test]
fn files_of_a_group_keep_its_mode_whoever_makes_them_under_whatever_umask() {
    for umask in ["000", "022", "077"] {
        let scene = shared("2770");
        for user in [ALICE, BOB, ROOT] {
            let script = format!(
                "umask {umask}; ./tool acquire -q -l kept-{0} && ./tool run -l own-{0} -l both -- true && \
                 ./tool acquire -q -l {1} && ! ./tool acquire -q -e nowhere",
                user.id,
                "%/.".repeat(60)
            );
            let said = said(user.program(&scene, &["sh", "-c", &script]).output().unwrap());
            assert_eq!(said.code, 0, "{said:?}");
            // The long name is the next one's too.
            ROOT.ok(&scene, &["clear", "--yes", "--lock", &"%/.".repeat(60)]);
        }
        let script = "find srv/locks -printf '%y %m %G %p\\n'";
        let found = scene.shell("sh", script).out;
        assert!(found.lines().count() > 15, "{found}");
        let wrong = |line: &&str| {
            let right = [format!("d 2770 {GROUP} "), format!("f 660 {GROUP} ")];
            !right.iter().any(|right| line.starts_with(right.as_str()))
        };
        assert_eq!(found.lines().find(wrong), None, "umask {umask}");
    }
}

#[test]
fn a_member_waits_for_another_is_told_of_it_and_woken() {
    let scene = shared("2770");
    let mut alice = ALICE.start(&scene, &["run", "-l", "a", "--reason", "release 7", "--", "cat"]);
    let held = ALICE.until(&scene, "held", 1).remove(0);
    assert!(text(&held["owner"]).starts_with("user-4001@"), "{held}");
    let mut bob = BOB.start(&scene, &["run", "-w", "10m", "-l", "a", "--", "cat"]);
    BOB.until(&scene, "waiting", 1);
    assert_eq!(BOB.sees(&scene, "held"), [held]);
    alice.let_go();
    soon("the other member is let in", || BOB.sees(&scene, "held").len() == 1 && !alice.is_running());
    assert_eq!(alice.end().code, 0);
    bob.let_go();
    assert_eq!(bob.end().code, 0);
}

#[test]
fn a_member_clears_what_is_stale_and_what_is_alive_only_by_force() {
    let scene = shared("2770");
    let alice = ALICE.start(&scene, &["run", "-l", "a", "--", "cat"]);
    let alive = text(&ALICE.until(&scene, "held", 1)[0]["id"]);
    let refused = BOB.run(&scene, &["clear", "--yes", &alive]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{refused:?}");
    assert!(refused.err.contains("--force"), "{refused:?}");
    assert_eq!(BOB.ok(&scene, &["clear", "--stale"]), "", "nothing is");
    BOB.ok(&scene, &["clear", "--yes", "--force", &alive]);
    assert_eq!(alice.end().code, 76);

    let killed = ALICE.start(&scene, &["run", "-l", "b", "--", "sleep", "1000"]);
    let dead = ALICE.until(&scene, "held", 1).remove(0);
    // Before, nobody but root can tell whether it lives.
    until_noted(&locks(&scene));
    let command = crate::tools::child_of(killed.pid()).unwrap();
    killed.signal("KILL");
    signal(command, "KILL");
    soon("it is seen to be dead", || !BOB.sees(&scene, "held")[0]["stale"].is_null());
    let cleared = BOB.ok(&scene, &["clear", "--stale"]);
    assert!(cleared.contains(&text(&dead["id"])), "{cleared}");

    ALICE.ok(&scene, &["acquire", "-l", "c", "--ttl", "10ms"]);
    soon("a ttl passes, and another takes it", || {
        BOB.run(&scene, &["acquire", "-q", "-n", "-l", "c"]).code == 0
    });
    let of_alice = ALICE.ok(&scene, &["acquire", "-l", "d"]);
    BOB.ok(&scene, &["clear", "--yes", "--owner", "user-4001@*", "--dry-run"]);
    assert_eq!(BOB.run(&scene, &["release", &of_alice]).code, 0, "who is told the id may release");
}

#[test]
fn a_member_cancels_what_another_waits_for_and_runs() {
    let scene = shared("2770");
    let run = ALICE.start(&scene, &["run", "-l", "a", "--", "cat"]);
    let running = text(&ALICE.until(&scene, "held", 1)[0]["id"]);
    let waiter = ALICE.start(&scene, &["run", "-w", "10m", "-l", "a", "--", "true"]);
    let waiting = text(&ALICE.until(&scene, "waiting", 1)[0]["id"]);
    BOB.ok(&scene, &["cancel", &waiting]);
    assert_eq!(waiter.end().code, 75);
    BOB.ok(&scene, &["cancel", &running]);
    assert_eq!(run.end().code, 143);
}

#[test]
fn who_may_only_read_lists_and_who_may_not_is_told_in_one_line() {
    let scene = shared("2775");
    let _alice = ALICE.start(&scene, &["run", "-l", "a", "--", "cat"]);
    ALICE.until(&scene, "held", 1);
    let seen = CAROL.sees(&scene, "held");
    assert_eq!((seen.len(), &seen[0]["stale"]), (1, &serde_json::Value::Null));
    let id = BOB.ok(&scene, &["acquire", "-l", "kept"]);
    assert_eq!(CAROL.ok(&scene, &["history"]).lines().filter(|l| l.contains("acquired")).count(), 2);
    let check = CAROL.run(&scene, &["check"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.out.contains("you can look but not lock"), "{check:?}");
    let changes: [&[&str]; 5] = [
        &["run", "-n", "-l", "b", "--", "true"],
        &["acquire", "-l", "b"],
        &["cancel", &id],
        &["clear", "--yes", &id],
        &["release", &id],
    ];
    for args in changes {
        one_line(&CAROL.run(&scene, args));
    }
    fs::set_permissions(locks(&scene), fs::Permissions::from_mode(0o2770)).unwrap();
    for args in changes.iter().chain([&["list"][..], &["history"], &["clear", "--stale"]].iter()) {
        one_line(&CAROL.run(&scene, args));
    }
}

#[track_caller]
fn one_line(said: &Said) {
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
    assert!(said.err.contains("locks") && said.err.contains("ermission denied"), "{said:?}");
}

#[test]
fn root_and_members_share_a_directory_and_wake_each_other() {
    let scene = shared("2770");
    let mut root = ROOT.start(&scene, &["run", "-l", "a", "--", "cat"]);
    ROOT.until(&scene, "held", 1);
    let mut bob = BOB.start(&scene, &["run", "-w", "10m", "-l", "a", "--", "cat"]);
    BOB.until(&scene, "waiting", 1);
    let last = ROOT.start(&scene, &["run", "-w", "10m", "-l", "a", "--", "true"]);
    BOB.until(&scene, "waiting", 2);
    assert_eq!(BOB.run(&scene, &["clear", "--yes", "--lock", "a"]).code, 1, "root's is alive");
    root.let_go();
    assert_eq!(root.end().code, 0);
    soon("the member is let in", || BOB.sees(&scene, "held").len() == 1);
    bob.let_go();
    assert_eq!(bob.end().code, 0);
    assert_eq!(last.end().code, 0);
}

/// `USER`, then `LOGNAME`, as everybody else shows who one is: under sudo that is whose rights are used.
#[test]
fn under_sudo_the_owner_is_whose_rights_are_used_and_the_locks_are_kept() {
    let scene = shared("2777");
    ALICE.ok(&scene, &["run", "-l", "first", "--", "true"]);
    let tool = scene.path("tool").display().to_string();
    let sudo = |args: &[&str]| {
        let mut sudo = scene.program("sudo");
        sudo.args(["-n", "-u", "nobody", "--"]).args(args).env_remove("DEPLOYLOCK_DIR");
        sudo
    };
    let acquired = said(sudo(&[&tool, "acquire", "-l", "a"]).output().unwrap());
    assert_eq!(acquired.code, 0, "{acquired:?}");
    let held = ROOT.sees(&scene, "held").remove(0);
    assert!(text(&held["owner"]).starts_with("nobody@"), "{held}");
    assert_eq!(BOB.run(&scene, &["run", "-n", "-l", "a", "--", "true"]).code, 75, "sudo and all have ended");
    assert_eq!(said(sudo(&[&tool, "release", acquired.out.trim()]).output().unwrap()).code, 0);

    // sudo closes what it inherits: only its number is left to say that it lives.
    let mut run = ROOT.start(&scene, &["run", "-l", "b", "--", "sudo", "-n", "-u", "nobody", "cat"]);
    ROOT.until(&scene, "held", 1);
    until_noted(&locks(&scene));
    run.signal("KILL");
    assert_eq!(BOB.run(&scene, &["run", "-n", "-l", "b", "--", "true"]).code, 75);
    run.let_go();
    soon("free when sudo's command has ended", || {
        BOB.run(&scene, &["run", "-n", "-l", "b", "--", "true"]).code == 0
    });
}

#[test]
fn in_a_sticky_directory_nobody_removes_anothers_and_waiters_go_on() {
    let scene = shared("1777");
    // Whose folder it is may do everything there.
    ROOT.ok(&scene, &["run", "-l", "first", "--", "true"]);
    let mut alice = ALICE.start(&scene, &["run", "-l", "a", "--", "cat"]);
    let held = text(&ALICE.until(&scene, "held", 1)[0]["id"]);
    let mut carol = CAROL.start(&scene, &["run", "-w", "10m", "-l", "a", "--", "cat"]);
    CAROL.until(&scene, "waiting", 1);
    let refused = CAROL.run(&scene, &["clear", "--yes", "--force", &held]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("Operation not permitted"), "{refused:?}");
    assert!(CAROL.run(&scene, &["check", "--strict"]).code == 0);
    alice.let_go();
    let said = alice.end();
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    soon("who may not be granted takes it", || CAROL.sees(&scene, "held").len() == 1);
    carol.let_go();
    assert_eq!(carol.end().code, 0);
}

#[test]
fn a_directory_that_does_not_hand_its_group_down_is_warned_of() {
    let scene = shared("2770");
    ALICE.ok(&scene, &["check", "--strict"]);
    ALICE.ok(&scene, &["run", "-l", "a", "--", "true"]);
    ALICE.ok(&scene, &["check", "--strict"]);
    fs::set_permissions(locks(&scene), fs::Permissions::from_mode(0o770)).unwrap();
    let said = BOB.run(&scene, &["check", "--strict"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("chmod g+s"), "{said:?}");
}

/// Files and folders outside that root can write and members cannot: none may change through what they plant.
#[test]
fn nothing_outside_is_changed_through_what_a_member_plants() {
    let places = ["guard", "history.jsonl", "locks/name/a", "ledger/x"];
    let folders = ["deployments/waiting", "deployments/attached", "locks/name", "locks"];
    for hard in [false, true] {
        for place in places {
            planted(place, if hard { "ln" } else { "ln -s" }, "precious");
        }
    }
    for place in folders {
        planted(place, "ln -s", "elsewhere");
    }
}

fn planted(place: &str, link: &str, victim: &str) {
    let scene = shared("2770");
    ALICE.ok(&scene, &["acquire", "-l", "kept"]);
    ROOT.ok(&scene, &["run", "-l", "a", "--", "true"]);
    let script = format!(
        "mkdir elsewhere && chmod 700 elsewhere && echo mine > precious && chmod 600 precious && \
         rm -rf srv/locks/{place} && {link} \"$PWD\"/{victim} srv/locks/{place} && stat -c '%a %s %Y' precious elsewhere"
    );
    // The kernel stops members from hard links to what they cannot write; where it does not, we do.
    let before = scene.shell("sh", &script);
    assert_eq!(before.code, 0, "{before:?}");
    for args in [
        &["run", "-n", "-l", "a", "--", "true"][..],
        &["acquire", "-n", "-l", "a"],
        &["clear", "--stale"],
        &["list"],
        &["check"],
    ] {
        let said = ROOT.run(&scene, args);
        assert!([0, 1].contains(&said.code), "{link} {place}, {args:?}: {said:?}");
        assert!(said.code == 0 || (!said.err.is_empty() || said.out.contains("error")), "{place}: {said:?}");
    }
    let after = scene.shell("sh", "stat -c '%a %s %Y' precious elsewhere; ls elsewhere");
    assert_eq!(after.out, before.out, "{link} {place}");
    assert_eq!(read_file(&scene.path("precious")), "mine\n", "{link} {place}");
}

fn read_file(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// A member who plants a link in the place of another's record: the other's end changes nothing elsewhere.
#[test]
fn a_record_replaced_by_a_link_is_lost_and_nothing_else() {
    let scene = shared("2770");
    let mut root = ROOT.start(&scene, &["run", "-l", "a", "--ttl", "2s", "--", "cat"]);
    ROOT.until(&scene, "held", 1);
    let swap = "umask 0; echo mine > precious; cd srv/locks/deployments/attached; r=$(ls); rm $r; \
                ln -s ../../../../precious $r";
    assert_eq!(scene.shell("sh", swap).code, 0);
    // It renews, or ends: either way it finds a link where its record was.
    root.let_go();
    let said = root.end();
    assert!([0, 1, 76].contains(&said.code), "{said:?}");
    assert_eq!(read_file(&scene.path("precious")), "mine\n");
}
