//! A scratch store and topology, the binary with it, and waiting for conditions with a bound.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a condition may take on a busy machine before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The program under test: the one built along with the tests, or `DEPLOYLOCK_BIN` (a released one).
pub fn binary() -> &'static str {
    static BINARY: LazyLock<String> = LazyLock::new(|| {
        std::env::var("DEPLOYLOCK_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_deploylock").to_owned())
    });
    &BINARY
}

/// A folder with a lock directory and perhaps a topology of its own.
pub struct Scene {
    folder: TempDir,
}

/// What a finished command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Scene {
    pub fn new() -> Self {
        let scene = Scene { folder: tempfile::Builder::new().prefix("deploylock-").tempdir().unwrap() };
        if let Some(store) = scene.store() {
            std::fs::write(scene.path("deploylock.toml"), store).unwrap();
        }
        scene
    }

    /// The `[store]` table of this scene; `None` where it is a lock directory.
    fn store(&self) -> Option<String> {
        crate::backend::store(self.root())
    }

    /// With this `deploylock.toml`.
    pub fn with_topology(text: &str) -> Self {
        let scene = Scene::new();
        let store = scene.store().map(|store| format!("\n{store}")).unwrap_or_default();
        std::fs::write(scene.path("deploylock.toml"), format!("{text}{store}")).unwrap();
        scene
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn locks(&self) -> PathBuf {
        self.path("locks")
    }

    /// Some program, in this folder, with nothing of the caller's environment but what it needs; `deploylock` is
    /// on its PATH.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let bin = Path::new(binary()).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        command
            .current_dir(self.root())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.root())
            .env("USER", "tester")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        if self.store().is_none() {
            command.env("DEPLOYLOCK_DIR", self.locks());
        }
        command
    }

    /// The binary with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(binary());
        command.args(args);
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Runs it and expects 0. What it printed, trimmed.
    pub fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.out.trim().to_owned()
    }

    /// Runs a script in a shell to its end.
    pub fn shell(&self, shell: &str, script: &str) -> Said {
        said(self.program(shell).args(["-c", script]).output().unwrap())
    }

    /// Starts the binary in the background; killed with the test.
    pub fn start(&self, args: &[&str]) -> Background {
        let mut command = self.command(args);
        Background::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// `list --format json`.
    pub fn list(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["list", "--format", "json"])).unwrap()
    }

    /// The deployments in this state.
    pub fn in_state(&self, state: &str) -> Vec<serde_json::Value> {
        let list = self.list();
        let all = list["deployments"].as_array().unwrap();
        all.iter().filter(|d| d["state"] == state).cloned().collect()
    }

    /// Waits until so many deployments are in this state.
    pub fn until(&self, state: &str, count: usize) -> Vec<serde_json::Value> {
        let mut seen = Vec::new();
        eventually(&format!("{count} {state}"), || {
            seen = self.in_state(state);
            seen.len() == count
        });
        seen
    }
}

/// A process that does not outlive the test.
pub struct Background {
    pub child: Option<Child>,
}

impl Background {
    pub fn of(child: Child) -> Self {
        Background { child: Some(child) }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends it a signal: `TERM`, `KILL`, …
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    /// Waits for its end, with a bound.
    pub fn end(mut self) -> Said {
        eventually("the end of a background process", || !self.is_running());
        said(self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends a process a signal.
pub fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(done.success(), "kill -{name} {pid}");
}

/// Waits for a condition, looking often; fails loudly after [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    within(PATIENCE, what, condition);
}

/// As [`eventually`], with a bound of one's own.
#[track_caller]
pub fn within(bound: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < bound, "not within {bound:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// What a finished command said.
pub fn said(output: Output) -> Said {
    use std::os::unix::process::ExitStatusExt as _;
    let code = output.status.code().or(output.status.signal().map(|s| -s)).unwrap();
    Said {
        code,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
