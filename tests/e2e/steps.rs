//! Steps that many tests take: hold something, be refused, run a command that ends when it is told to.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::harness::{Background, PATIENCE, Said, Scene, said};

impl Scene {
    /// Takes locks with `acquire`, at once. The deployment's id.
    pub fn hold(&self, target: &[&str]) -> String {
        self.ok(&[&["acquire", "--no-wait"], target].concat())
    }

    /// Expects that these locks can't be had at once; nothing is left behind. What was said.
    pub fn refused(&self, target: &[&str]) -> Said {
        let before = self.list();
        let said = self.run(&[&["acquire", "--no-wait"], target].concat());
        assert_eq!((said.code, said.out.as_str()), (75, ""), "{target:?}: {said:?}");
        assert_eq!(self.list(), before, "a refusal leaves no record");
        said
    }

    /// Whether these locks can be had now; they are given back.
    pub fn could_have(&self, target: &[&str]) -> bool {
        let said = self.run(&[&["acquire", "--no-wait"], target].concat());
        match said.code {
            0 => self.ok(&["release", said.out.trim()]).is_empty(),
            75 => false,
            _ => panic!("{target:?}: {said:?}"),
        }
    }

    /// Expects this exit code. What was said.
    pub fn fails(&self, code: i32, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        said
    }

    /// Starts the binary with a standard input that stays open until [`Background::let_go`] or the test's end.
    pub fn start_fed(&self, args: &[&str]) -> Background {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Background::of(command.spawn().unwrap())
    }

    /// Starts a `run` of `cat` with this target: it lasts until [`Background::let_go`].
    pub fn deploy(&self, target: &[&str]) -> Background {
        self.start_fed(&[&["run"], target, &["--", "cat"]].concat())
    }

    /// The one deployment with this id.
    pub fn deployment(&self, id: &str) -> Option<Value> {
        let list = self.list();
        list["deployments"].as_array().unwrap().iter().find(|d| d["id"] == id).cloned()
    }

    /// The state of the deployment with this id; `gone` where there is none.
    pub fn state_of(&self, id: &str) -> String {
        self.deployment(id).map_or("gone".to_owned(), |d| d["state"].as_str().unwrap().to_owned())
    }

    /// Owners of the deployments in this state, sorted.
    pub fn owners(&self, state: &str) -> Vec<String> {
        let mut owners: Vec<String> = self.in_state(state).iter().map(|d| text(&d["owner"])).collect();
        owners.sort();
        owners
    }
}

impl Background {
    /// Ends its standard input.
    pub fn let_go(&mut self) {
        drop(self.child.as_mut().unwrap().stdin.take());
    }

    /// Waits for the first line that it says on stderr, with a bound: a waiter's word that it waits.
    pub fn told(&mut self) -> String {
        let stderr = self.child.as_mut().unwrap().stderr.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let mut lines = BufReader::new(stderr);
            let _ = lines.read_line(&mut line);
            let _ = sender.send(line);
            // Whatever it says later is read, so that it never waits for us.
            let _ = std::io::copy(&mut lines, &mut std::io::sink());
        });
        receiver.recv_timeout(PATIENCE).expect("it says something")
    }

    /// Ends its standard input and waits for its end.
    pub fn finish(mut self) -> Said {
        self.let_go();
        self.end()
    }
}

/// Runs a prepared command to its end.
pub fn done(command: &mut Command) -> Said {
    said(command.output().unwrap())
}

/// A JSON string.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}")).to_owned()
}

/// The locks of a deployment of `list` or of a `plan`, as `kind:name mode`.
pub fn locks_of(value: &Value) -> Vec<String> {
    let locks = value["locks"].as_array().unwrap().iter();
    let mut locks: Vec<String> =
        locks.map(|l| format!("{} {}", text(&l["lock"]), text(&l["mode"]))).collect();
    locks.sort();
    locks
}
