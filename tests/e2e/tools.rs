//! What the tests of processes need beyond the harness: process groups that end with the test, holders that end
//! when told, a real terminal in tmux, looks into `/proc`.

use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Background, Said, Scene, eventually};

/// How soon an event must have been noticed: far above what a loaded machine needs, far below the retry interval
/// of 30 s by which polling would notice it.
pub const SOON: Duration = Duration::from_secs(12);

/// A python that is not pyenv's script, where there is one.
pub fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

/// A process with a group of its own, which is killed with the test; its stdin is a pipe that the test holds.
pub struct Group {
    background: Option<Background>,
    stdin: Option<ChildStdin>,
    leader: u32,
}

impl Group {
    pub fn start(mut command: Command) -> Self {
        use std::os::unix::process::CommandExt as _;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (stdin, leader) = (child.stdin.take(), child.id());
        Group { background: Some(Background::of(child)), stdin, leader }
    }

    /// The binary with these arguments.
    pub fn of(scene: &Scene, args: &[&str]) -> Self {
        Group::start(scene.command(args))
    }

    pub fn pid(&self) -> u32 {
        self.leader
    }

    /// Signals the leader alone.
    pub fn signal(&self, name: &str) {
        crate::harness::signal(self.leader, name);
    }

    /// Kills the whole group at once.
    pub fn kill(&self) {
        kill_group(self.leader);
    }

    /// Ends its standard input: a `cat` ends.
    pub fn let_go(&mut self) {
        self.stdin = None;
    }

    pub fn is_running(&mut self) -> bool {
        self.background.as_mut().unwrap().is_running()
    }

    /// Waits for its end, with a bound. Its standard input stays open until then.
    pub fn end(mut self) -> Said {
        self.background.take().unwrap().end()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill_group(self.leader);
    }
}

fn kill_group(leader: u32) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{leader}")]).stderr(Stdio::null()).status();
}

/// Some process that is killed with the test: a daemon that a command left behind.
pub struct Doomed(pub u32);

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.0.to_string()]).stderr(Stdio::null()).status();
    }
}

/// A `run` that holds these locks (`-l a`, …) until told to let go; it does hold when this returns.
pub fn holder(scene: &Scene, target: &[&str]) -> Group {
    let held = scene.in_state("held").len();
    let group = Group::of(scene, &[&["run"][..], target, &["--", "cat"]].concat());
    scene.until("held", held + 1);
    group
}

/// A `run` that waits for ever for these locks and then is as [`holder`]; it waits when this returns.
pub fn waiter(scene: &Scene, target: &[&str]) -> Group {
    let waiting = scene.in_state("waiting").len();
    let group = Group::of(scene, &[&["run", "--wait"][..], target, &["--", "cat"]].concat());
    scene.until("waiting", waiting + 1);
    group
}

/// The deployment of this process.
#[track_caller]
pub fn deployment(scene: &Scene, pid: u32) -> serde_json::Value {
    let list = scene.list();
    let all = list["deployments"].as_array().unwrap();
    let found = all.iter().find(|d| d["pid"] == pid);
    found.unwrap_or_else(|| panic!("no deployment of process {pid}: {list}")).clone()
}

/// Its state.
#[track_caller]
pub fn state(scene: &Scene, group: &Group) -> String {
    deployment(scene, group.pid())["state"].as_str().unwrap().to_owned()
}

/// Waits until it holds, no longer than polling would take.
#[track_caller]
pub fn soon_held(scene: &Scene, group: &Group) {
    soon("a waiter is granted", || state(scene, group) == "held");
}

/// Waits for a condition that an event brings about.
#[track_caller]
pub fn soon(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    eventually(what, || condition() || began.elapsed() > SOON);
    assert!(began.elapsed() <= SOON, "too late or never: {what}");
}

/// The only deployment there is, by its id.
#[track_caller]
pub fn only(scene: &Scene) -> serde_json::Value {
    let list = scene.list();
    let all = list["deployments"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{list}");
    all[0].clone()
}

pub fn id(deployment: &serde_json::Value) -> String {
    deployment["id"].as_str().unwrap().to_owned()
}

/// Nothing is listed, held or waited for, and no record or lock line lies about, but for those that mean nothing and that
/// a release of many locks leaves for the next to write over.
#[track_caller]
pub fn nothing_left(scene: &Scene) {
    let list = scene.list();
    assert_eq!(list["deployments"].as_array().unwrap().len(), 0, "{list}");
    assert_eq!(list["locks"].as_array().unwrap().len(), 0, "{list}");
    let lines = "find locks/deployments -type f; grep -rhv '^#' locks/locks | awk '$5 <= 2'";
    let found = scene.shell("sh", lines);
    assert_eq!(found.out, "", "left behind");
}

/// Whether a lock is free now.
pub fn is_free(scene: &Scene, target: &[&str]) -> bool {
    let said = scene.run(&[&["run", "-n", "-q"][..], target, &["--", "true"]].concat());
    assert!(said.code == 0 || said.code == 75, "{said:?}");
    said.code == 0
}

/// What a file of the scene says, trimmed; empty where there is none.
pub fn read(scene: &Scene, name: &str) -> String {
    std::fs::read_to_string(scene.path(name)).unwrap_or_default().trim().to_owned()
}

/// Waits until a file of the scene says something.
#[track_caller]
pub fn until_written(scene: &Scene, name: &str) -> String {
    eventually(&format!("something in {name}"), || !read(scene, name).is_empty());
    read(scene, name)
}

/// Shell words that wait, a minute at most, until a file is there.
pub fn until_file(name: &str) -> String {
    format!("i=0; until [ -e {name} ] || [ $i -gt 1200 ]; do sleep 0.05; i=$((i+1)); done")
}

/// How often a process gave up a processor, by itself or not, on all its threads; `None` when it is gone.
pub fn switches(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let status = std::fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        let counts = status.lines().filter(|l| l.contains("ctxt_switches"));
        sum += counts.map(|l| l.rsplit('\t').next().unwrap().parse::<u64>().unwrap()).sum::<u64>();
    }
    Some(sum)
}

/// Waits until a process sleeps in `poll`.
pub fn asleep(pid: u32) {
    eventually("it sleeps in poll", || {
        let channel = std::fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
        channel.contains("poll")
    });
}

/// Waits until a run has noted its command's process, in this lock directory.
pub fn until_noted(locks: &Path) {
    eventually("its command is noted", || {
        let attached = std::fs::read_dir(locks.join("deployments/attached")).unwrap();
        let records = attached.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
        records.into_iter().any(|record| record.contains("command = \"running\""))
    });
}

/// The only child of a process.
pub fn child_of(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next().map(|c| c.parse().unwrap())
}

/// A terminal with an interactive shell in it, on a tmux server of its own.
pub struct Terminal<'a> {
    scene: &'a Scene,
}

impl<'a> Terminal<'a> {
    pub fn open(scene: &'a Scene, columns: u32) -> Self {
        Terminal::with(scene, (columns, 30), "bash --norc --noprofile -i")
    }

    /// Of so many columns and lines, with this shell, whose prompt is `> `.
    pub fn with(scene: &'a Scene, (columns, lines): (u32, u32), shell: &str) -> Self {
        let terminal = Terminal { scene };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let shell = format!("exec env PS1='> ' {shell}");
        let new = ["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, &shell];
        terminal.tmux(&new);
        eventually("a prompt", || terminal.screen().contains('>'));
        terminal.line("ulimit -c 0; clear");
        terminal
    }

    /// Asks the tmux server, which acts on this terminal.
    #[track_caller]
    pub fn tmux(&self, args: &[&str]) -> String {
        let mut tmux = self.scene.program("tmux");
        tmux.args(["-L", "test"]).args(args).env("TMUX_TMPDIR", self.scene.root()).env("TERM", "xterm");
        let done = tmux.output().unwrap();
        assert!(done.status.success(), "tmux {args:?}: {done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Types a line.
    pub fn line(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.key("Enter");
    }

    /// Presses a key: `C-c`, `C-\`, `Enter`.
    pub fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The exit status of the line before, as its shell has it.
    #[track_caller]
    pub fn status(&self, file: &str) -> String {
        self.line(&format!("echo $? > {file}"));
        until_written(self.scene, file)
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut tmux = self.scene.program("tmux");
        tmux.args(["-L", "test", "kill-server"]).env("TMUX_TMPDIR", self.scene.root());
        let _ = tmux.stderr(Stdio::null()).status();
    }
}
