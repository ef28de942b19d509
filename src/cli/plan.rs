//! `plan`: which locks a target takes, why, and what stands in the way.

use clap::Args;
use serde::Serialize;

use super::context::myself;
use super::context::{Context, inherited_id};
use super::failure::code;
use super::freeze::gate_of;
use super::list::Format;
use super::target::{TargetArgs, requests};
use super::terminal::say;
use super::{Answer, Exec};
use crate::clock;
use crate::engine::{Assessment, Block, Cause};
use crate::ops::InTheWay;
use crate::ops::survey::{self, Shown};
use crate::output::style::{clean, pad, width};
use crate::output::{freeze, json, message};
use crate::policy::{self, PlannedLock};

#[derive(Args)]
pub struct Plan {
    #[command(flatten)]
    target: TargetArgs,
    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

#[derive(Serialize)]
struct Planned<'a> {
    environment: Option<&'a str>,
    application: Option<&'a str>,
    version: Option<&'a str>,
    operation: &'static str,
    containers: &'a [String],
    locks: Vec<One<'a>>,
    blocked: bool,
    freeze: Option<freeze::AsJson>,
    waiting_for: Vec<&'a str>,
    deployments: Vec<json::One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    asked: json::Asked,
    rule: u8,
    because: &'a str,
    line: Option<usize>,
    waiting_for: Vec<&'a str>,
}

impl Exec for Plan {
    fn exec(self, context: &Context) -> Answer {
        let plan = self.target.plan(context)?;
        let store = context.store()?;
        let (found, shown) = survey::assess(&store, &requests(&plan), inherited_id().as_ref())?;
        let gate = gate_of(context, &store, self.target.env.as_deref(), myself)?;
        let now = clock::now().wall;
        let text = match self.format {
            Format::Json => {
                let freeze = gate.and_then(|gate| freeze::as_json(&gate, now));
                self.json(&plan, &found, &shown, freeze)
            }
            Format::Table => {
                let path = context.known()?.topology().map(|t| t.path.display().to_string());
                let windows = gate.and_then(|gate| freeze::plan(&gate, now));
                let windows = windows.map(|text| format!("{text}\n")).unwrap_or_default();
                table(&plan, &found, &shown, path.as_deref()) + &windows
            }
        };
        say(&text)?;
        Ok(code::DONE)
    }
}

impl Plan {
    fn json(
        &self,
        plan: &policy::Plan,
        found: &Assessment,
        shown: &[Shown],
        freeze: Option<freeze::AsJson>,
    ) -> String {
        let one = |l: &'_ PlannedLock| block_of(l, found).map(ids).unwrap_or_default();
        json::to_text(&Planned {
            environment: self.target.env.as_deref(),
            application: self.target.app.as_deref(),
            version: self.target.app_version.as_deref(),
            operation: self.target.operation.as_str(),
            containers: &plan.containers,
            locks: plan
                .locks
                .iter()
                .map(|l| One {
                    asked: json::asked(&l.request),
                    rule: l.because.rule,
                    because: &l.because.text,
                    line: l.because.line,
                    waiting_for: one(l),
                })
                .collect(),
            blocked: !found.blocks.is_empty() || freeze.as_ref().is_some_and(|freeze| freeze.open),
            freeze,
            waiting_for: shown.iter().map(|s| s.stored.id().as_str()).collect(),
            deployments: shown.iter().map(json::one).collect(),
        })
    }
}

fn block_of<'a>(lock: &PlannedLock, found: &'a Assessment) -> Option<&'a Block> {
    found.blocks.iter().find(|b| b.lock == lock.request.lock)
}

fn ids(block: &Block) -> Vec<&str> {
    block.by.iter().map(|b| b.id.as_str()).collect()
}

fn table(plan: &policy::Plan, found: &Assessment, shown: &[Shown], path: Option<&str>) -> String {
    let rows: Vec<[String; 4]> = plan.locks.iter().map(|l| row(l, found, shown, path)).collect();
    let heads = ["LOCK", "MODE", "BECAUSE", "IN THE WAY"].map(str::to_owned);
    let mut widths = [0; 4];
    for row in std::iter::once(&heads).chain(&rows) {
        for (have, text) in widths.iter_mut().zip(row) {
            *have = (*have).max(width(text));
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(&rows) {
        let cells: Vec<String> = row.iter().zip(widths).map(|(text, wide)| pad(text, wide)).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(lock: &PlannedLock, found: &Assessment, shown: &[Shown], path: Option<&str>) -> [String; 4] {
    let request = &lock.request;
    let mode = match request.limit {
        Some(limit) => format!("{}, limit {limit}", request.mode.as_str()),
        None => request.mode.as_str().to_owned(),
    };
    let because = match (path, lock.because.line) {
        (Some(path), Some(line)) => format!("{path}:{line}: {}", lock.because.text),
        _ => lock.because.text.to_string(),
    };
    let way = match block_of(lock, found) {
        None => "-".to_owned(),
        Some(block) => in_the_way(block, shown),
    };
    [clean(&request.lock.to_string()), mode, clean(&because), way]
}

fn in_the_way(block: &Block, shown: &[Shown]) -> String {
    let now = clock::now().wall;
    let mut names: Vec<String> = Vec::new();
    for blocker in &block.by {
        let record = shown.iter().find(|s| *s.stored.id() == blocker.id);
        let record = record.and_then(|s| s.stored.deployment()).cloned();
        let who = InTheWay { id: blocker.id.clone(), holds: blocker.holds, record, life: None };
        let verb = if blocker.holds { "held by" } else { "waited for by" };
        names.push(format!("{verb} {}", message::holder(&who, now)));
    }
    let full = match block.cause {
        Cause::Full(limit) => format!("full ({limit} of {limit}): "),
        Cause::Conflict => String::new(),
    };
    format!("{full}{}", names.join("; "))
}
