//! Rounds: workers at once, then quiet, then the judgement: of the journal, and of what is left in the store.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Plan, journal, target, worker};

/// Cycles of a worker in a round.
const ROUND: u64 = 25;
/// How long commands that were orphaned may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Sum {
    rounds: u64,
    cycles: u64,
    granted: u64,
    killed: u64,
    refused: u64,
    judged: u64,
    most: usize,
}

/// Goes on until there have been enough.
pub fn run(plan: &Plan) -> ExitCode {
    let began = Instant::now();
    let mut sum = Sum::default();
    let done = journal::prove().and_then(|()| {
        let folder = tempfile::Builder::new().prefix("deploylock-soak-").tempdir();
        let folder = prepared(folder.map_err(|e| e.to_string())?)?;
        while plan.cycles.is_none_or(|n| sum.cycles < n) && plan.time.is_none_or(|t| began.elapsed() < t) {
            if let Err(wrong) = round(folder.path(), plan, &mut sum) {
                let kept = folder.keep();
                return Err(format!(
                    "round {}: {wrong}\nthe store is kept in {}",
                    sum.rounds,
                    kept.display()
                ));
            }
            if sum.rounds.is_multiple_of(40) {
                report(&sum, began.elapsed());
            }
        }
        Ok(())
    });
    report(&sum, began.elapsed());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("soak: {wrong}");
            ExitCode::FAILURE
        }
    }
}

fn prepared(folder: TempDir) -> Result<TempDir, String> {
    let at = |name: &str| folder.path().join(name);
    let write = std::fs::write(at("deploylock.toml"), target::TOPOLOGY);
    write.and_then(|()| std::fs::create_dir(at("kept"))).map_err(|e| e.to_string())?;
    Ok(folder)
}

fn round(folder: &Path, plan: &Plan, sum: &mut Sum) -> Result<(), String> {
    let journal = folder.join("journal");
    std::fs::write(&journal, "").map_err(|e| e.to_string())?;
    let workers: Vec<Child> = (0..plan.workers)
        .map(|n| {
            // Far enough apart that no two ever share their numbers.
            let seed = plan.seed.wrapping_mul(0x1_0000_0000).wrapping_add(sum.rounds << 16).wrapping_add(n);
            let mut worker = Command::new(std::env::current_exe().expect("our own program"));
            worker.arg("worker").arg(folder).args([seed.to_string(), ROUND.to_string()]);
            worker.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            worker.spawn().map_err(|e| e.to_string())
        })
        .collect::<Result<_, _>>()?;
    let mut wrong = Vec::new();
    for worker in workers {
        let said = worker.wait_with_output().map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        match text.split_whitespace().map(crate::number).collect::<Vec<_>>()[..] {
            [granted, killed, refused] if said.status.success() => {
                sum.cycles += ROUND;
                sum.granted += granted;
                sum.killed += killed;
                sum.refused += refused;
            }
            _ => wrong.push(String::from_utf8_lossy(&said.stderr).into_owned()),
        }
    }
    sum.rounds += 1;
    if wrong.is_empty() {
        wrong.extend(until_quiet(folder).err());
    }
    let file = std::fs::File::open(&journal).map_err(|e| e.to_string())?;
    let verdict = journal::judge(BufReader::new(file));
    sum.judged += verdict.holds;
    sum.most = sum.most.max(verdict.most);
    wrong.extend(verdict.wrong);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Orphaned commands end by themselves; then `clear --stale` leaves what was kept and nothing else.
fn until_quiet(folder: &Path) -> Result<(), String> {
    let kept = folder.join("kept");
    let names = std::fs::read_dir(&kept).map_err(|e| e.to_string())?.flatten();
    let wanted: BTreeSet<String> = names.map(|n| n.file_name().to_string_lossy().into_owned()).collect();
    let began = Instant::now();
    loop {
        deploylock(folder, &["clear", "--stale"])?;
        let left = listed(folder)?;
        if left == wanted {
            break;
        }
        if !left.is_superset(&wanted) {
            return Err(format!("held by nobody any more: {:?}", wanted.difference(&left)));
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("left behind: {:?}", left.difference(&wanted)));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    for id in &wanted {
        deploylock(folder, &["release", id])?;
        std::fs::remove_file(kept.join(id)).map_err(|e| e.to_string())?;
    }
    deploylock(folder, &["clear", "--stale"])?;
    deploylock(folder, &["check"])?;
    nothing_left(folder)
}

fn listed(folder: &Path) -> Result<BTreeSet<String>, String> {
    let text = deploylock(folder, &["list", "--format", "json"])?;
    let list: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    let all = list["deployments"].as_array().into_iter().flatten();
    Ok(all.filter_map(|d| d["id"].as_str().map(str::to_owned)).collect())
}

/// No record and no lock's file.
fn nothing_left(folder: &Path) -> Result<(), String> {
    let mut find = Command::new("find");
    find.args(["locks/deployments", "locks/locks", "-type", "f"]);
    let found = find.current_dir(folder).output().map_err(|e| e.to_string())?;
    if found.stdout.is_empty() { Ok(()) } else { Err(String::from_utf8_lossy(&found.stdout).into_owned()) }
}

fn deploylock(folder: &Path, args: &[&str]) -> Result<String, String> {
    let said = worker::deploylock(folder).args(args).output().map_err(|e| e.to_string())?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    Err(format!("{args:?}: {}: {}", said.status, String::from_utf8_lossy(&said.stderr)))
}

fn report(sum: &Sum, took: Duration) {
    let Sum { rounds, cycles, granted, killed, refused, judged, most } = sum;
    println!(
        "soak: {cycles} cycles in {rounds} rounds, {:.0} s, {:.1} a second; {granted} granted, {refused} \
         refused, {killed} killed; {judged} holds judged, at most {most} at once",
        took.as_secs_f64(),
        *cycles as f64 / took.as_secs_f64().max(0.001),
    );
}
