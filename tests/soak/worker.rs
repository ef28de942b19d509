//! A worker: goes through cycles of random targets, kills what it started at random moments, and holds every exit
//! code against what may be.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Duration;

use crate::child::{self, manner};
use crate::random::Random;
use crate::target::{self, Target};

/// How long a waiter may wait in a world where nobody holds for more than milliseconds: what waits longer was
/// never woken.
const PATIENCE: &str = "120s";

/// The program under test.
pub fn program() -> PathBuf {
    std::env::var_os("DEPLOYLOCK_BIN").map_or_else(|| env!("CARGO_BIN_EXE_deploylock").into(), PathBuf::from)
}

/// It, for the store and the topology in this folder.
pub fn deploylock(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .env_remove("DEPLOYLOCK_ID")
        .env("DEPLOYLOCK_DIR", folder.join("locks"))
        .env("DEPLOYLOCK_CONFIG", folder.join("deploylock.toml"))
        .env("USER", "soak")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

struct Worker<'a> {
    folder: &'a Path,
    random: Random,
    journal: String,
    file: File,
    granted: u64,
    killed: u64,
    refused: u64,
}

/// So many cycles. Says `granted killed refused` when all went well, else what did not.
pub fn run(folder: &Path, seed: u64, cycles: u64) -> ExitCode {
    let journal = folder.join("journal").display().to_string();
    let file = child::open(&journal);
    let (granted, killed, refused) = (0, 0, 0);
    let mut worker = Worker { folder, random: Random(seed), journal, file, granted, killed, refused };
    for cycle in 0..cycles {
        if let Err(wrong) = worker.cycle() {
            eprintln!("cycle {cycle} of the worker with seed {seed}: {wrong}");
            return ExitCode::FAILURE;
        }
    }
    println!("{} {} {}", worker.granted, worker.killed, worker.refused);
    ExitCode::SUCCESS
}

impl Worker<'_> {
    fn cycle(&mut self) -> Result<(), String> {
        let target = target::random(&mut self.random);
        match self.random.below(100) {
            0..48 => self.run(&target, &["-w", PATIENCE], manner::PLAIN),
            48..52 => self.run(&target, &["-w", PATIENCE], manner::NESTED),
            52..55 => self.run_cancelled(&target),
            55..67 => self.run(&target, &["--no-wait"], manner::PLAIN),
            67..75 => self.run_killed(&target),
            75..79 => self.run(&target, &["-w", PATIENCE], manner::ORPHAN),
            79..81 => self.run_closed(&target),
            81..84 => self.run(&target, &["-w", PATIENCE], manner::KILLED),
            84..94 => self.acquire(&target),
            94..96 => self.acquire_killed(&target),
            96..97 => self.acquire_for_a_moment(&target),
            97..98 => self.expect(&["clear", "--stale"], &[0]).map(drop),
            98..99 => self.expect(&["list", "--format", "json"], &[0]).map(drop),
            _ => self.keep(),
        }
    }

    /// The words of the wrapped command.
    fn command(&mut self, target: &Target, manner: &str) -> Vec<String> {
        let hold = self.random.below(4000).to_string();
        let program = std::env::current_exe().expect("our own program").display().to_string();
        let words = [program.as_str(), "child", &self.journal, &target.expected, &hold, manner];
        words.into_iter().map(str::to_owned).chain(target.options.iter().cloned()).collect()
    }

    fn run(&mut self, target: &Target, wait: &[&str], manner: &str) -> Result<(), String> {
        let command = self.command(target, manner);
        self.run_command(target, wait, manner, &command)
    }

    /// A command that has closed what keeps its record locked, and is known by its number alone.
    fn run_closed(&mut self, target: &Target) -> Result<(), String> {
        let close = "for fd in /proc/self/fd/2??; do fd=${fd##*/}; exec {fd}>&-; done; exec \"$@\"";
        let mut command = ["bash", "-c", close, "bash"].map(str::to_owned).to_vec();
        command.extend(self.command(target, manner::ORPHAN));
        self.run_command(target, &["-w", PATIENCE], manner::ORPHAN, &command)
    }

    fn run_command(&mut self, t: &Target, wait: &[&str], how: &str, argv: &[String]) -> Result<(), String> {
        let mut run = deploylock(self.folder);
        run.arg("run").args(wait).args(&t.options).arg("--").args(argv);
        // A wrapper that its command kills has no more to say; the command must not find a closed pipe.
        let said = run.output().map_err(|e| e.to_string())?;
        match (code(&said), how) {
            (0, manner::PLAIN | manner::NESTED) | (137, manner::KILLED) => self.granted += 1,
            (-9, manner::ORPHAN) => {
                self.granted += 1;
                self.killed += 1;
            }
            (75, _) if wait == ["--no-wait"] => self.refused += 1,
            (code, _) => return Err(format!("run {:?} {wait:?} {how}: {code}: {}", t.options, err(&said))),
        }
        Ok(())
    }

    /// Killed wherever it happens to be: starting, waiting, being granted, holding, releasing.
    fn run_killed(&mut self, target: &Target) -> Result<(), String> {
        let mut run = deploylock(self.folder);
        let command = self.command(target, manner::PLAIN);
        run.args(["run", "-w", PATIENCE]).args(&target.options).arg("--").args(command);
        self.spawn_and_kill(run)?;
        Ok(())
    }

    fn spawn_and_kill(&mut self, mut command: Command) -> Result<Output, String> {
        let after = Duration::from_micros(self.random.below(15_000));
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        std::thread::sleep(after);
        child.kill().map_err(|e| e.to_string())?;
        self.killed += 1;
        child.wait_with_output().map_err(|e| e.to_string())
    }

    fn acquire(&mut self, target: &Target) -> Result<(), String> {
        let mut acquire = deploylock(self.folder);
        acquire.args(["acquire", "-w", PATIENCE]).args(&target.options);
        let said = acquire.output().map_err(|e| e.to_string())?;
        if code(&said) != 0 {
            return Err(format!("acquire {:?}: {}: {}", target.options, code(&said), err(&said)));
        }
        let id = String::from_utf8_lossy(&said.stdout).trim().to_owned();
        child::begin(&mut self.file, &id, "0", &target.expected, "");
        std::thread::sleep(Duration::from_micros(self.random.below(2000)));
        child::end(&mut self.file, &id);
        self.granted += 1;
        if self.random.one_in(10) {
            let mut release = deploylock(self.folder);
            release.args(["release", &id]);
            self.spawn_and_kill(release)?;
            // It did it, or it did not and it is still ours.
            return self.expect(&["release", &id], &[0, 3]).map(drop);
        }
        self.expect(&["release", &id], &[0]).map(drop)
    }

    /// Killed before or after it said its id: what is said can be released, what is not leaves nothing.
    fn acquire_killed(&mut self, target: &Target) -> Result<(), String> {
        let mut acquire = deploylock(self.folder);
        acquire.args(["acquire", "-w", PATIENCE]).args(&target.options);
        let said = self.spawn_and_kill(acquire)?;
        match String::from_utf8_lossy(&said.stdout).strip_suffix('\n') {
            Some(id) => self.expect(&["release", id], &[0, 3]).map(drop),
            None => Ok(()),
        }
    }

    /// Asked to end wherever it happens to be: waiting, being granted, holding, releasing.
    fn run_cancelled(&mut self, target: &Target) -> Result<(), String> {
        let owner = format!("cancelled-{}", self.random.next());
        let command = self.command(target, manner::CANCELLED);
        let mut run = deploylock(self.folder);
        run.args(["run", "-w", PATIENCE, "--owner", &owner]).args(&target.options).arg("--").args(command);
        let child = run.spawn().map_err(|e| e.to_string())?;
        std::thread::sleep(Duration::from_micros(self.random.below(15_000)));
        let listed = self.expect(&["list", "--format", "json", "--owner", &owner], &[0])?;
        let list: serde_json::Value = serde_json::from_str(&listed).map_err(|e| e.to_string())?;
        if let Some(id) = list["deployments"][0]["id"].as_str() {
            // Over already, or not yet there.
            self.expect(&["cancel", id], &[0, 3])?;
        }
        let said = child.wait_with_output().map_err(|e| e.to_string())?;
        match code(&said) {
            0 => self.granted += 1,
            75 | 143 => self.refused += 1,
            code => return Err(format!("a cancelled run {:?}: {code}: {}", target.options, err(&said))),
        }
        Ok(())
    }

    /// Left to its time to live.
    fn acquire_for_a_moment(&mut self, target: &Target) -> Result<(), String> {
        let mut args = vec!["acquire", "--ttl", "20ms", "-w", PATIENCE];
        args.extend(target.options.iter().map(String::as_str));
        self.expect(&args, &[0]).map(drop)
    }

    /// Held to the end of the round, under a name that nobody else wants: what must be there then.
    fn keep(&mut self) -> Result<(), String> {
        let name = format!("kept-{}", self.random.next());
        let id = self.expect(&["acquire", "--no-wait", "--lock", &name], &[0])?;
        std::fs::write(self.folder.join("kept").join(id.trim()), "").map_err(|e| e.to_string())
    }

    fn expect(&self, args: &[&str], codes: &[i32]) -> Result<String, String> {
        let said = deploylock(self.folder).args(args).output().map_err(|e| e.to_string())?;
        if codes.contains(&code(&said)) {
            return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
        }
        Err(format!("{args:?}: {}: {}", code(&said), err(&said)))
    }
}

fn code(said: &Output) -> i32 {
    said.status.code().or_else(|| said.status.signal().map(|s| -s)).unwrap_or(-1)
}

fn err(said: &Output) -> String {
    String::from_utf8_lossy(&said.stderr).into_owned()
}
