//! The target options, the same on `acquire`, `run`, `wait`, `plan`; and what is common to those that take locks.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::context::{Context, Known};
use super::failure::{Failure, code};
use crate::deployment::Id;
use crate::model::{LockRequest, Operation, Sharing, Target};
use crate::ops::acquire::{Draft, Patience};
use crate::policy::{self, Plan, PolicyError};

/// What to lock.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// The environment
    #[arg(short, long, value_name = "ENV")]
    pub env: Option<String>,
    /// The application
    #[arg(short, long, value_name = "APP")]
    pub app: Option<String>,
    /// Its version, for people to read
    #[arg(long, value_name = "V", requires = "app")]
    pub app_version: Option<String>,
    /// A container this deployment touches; repeatable [default: the application's, else all]
    #[arg(short, long = "container", value_name = "C", action = ArgAction::Append)]
    pub containers: Vec<String>,
    /// What is done; changes no lock
    #[arg(long, value_name = "OP", default_value = "deploy", value_parser = operation)]
    pub operation: Operation,
    /// A lock by name, needing no topology; repeatable
    #[arg(short, long = "lock", value_name = "NAME", action = ArgAction::Append)]
    pub locks: Vec<String>,
    /// Take the locks by name shared
    #[arg(long, requires = "locks")]
    pub shared: bool,
    /// Let this many hold each lock by name
    #[arg(long, value_name = "N", requires = "locks", conflicts_with = "shared", value_parser = slots)]
    pub slots: Option<NonZeroU32>,
    /// Take the environment exclusively whatever the topology allows
    #[arg(long)]
    pub exclusive: bool,
}

fn slots(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| "must be a number, 1 or more".to_owned())
}

fn operation(text: &str) -> Result<Operation, String> {
    let found = Operation::ALL.into_iter().find(|o| o.as_str() == text);
    found.ok_or_else(|| "expected deploy, update, undeploy or rollback".to_owned())
}

/// A duration: humantime, or a bare number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let wrong = "must be a duration (examples: 90s, 1h 30m, or a number of seconds)";
    humantime::parse_duration(text).map_err(|_| wrong.to_owned())
}

/// A duration that is not nothing.
pub fn some_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than 0 (examples: 90s, 1h 30m)".to_owned()),
        // Times are kept in nanoseconds of 64 bits; nobody deploys for a century.
        d if d > Duration::from_secs(100 * 366 * 86_400) => Err("must be at most 100 years".to_owned()),
        d => Ok(d),
    }
}

impl TargetArgs {
    /// Whether nothing was named at all.
    pub fn is_empty(&self) -> bool {
        self.env.is_none() && self.locks.is_empty()
    }

    /// Whether any of the options was given.
    pub fn any(&self) -> bool {
        !self.is_empty() || self.app.is_some() || !self.containers.is_empty() || self.exclusive
    }

    fn target(&self) -> Target {
        Target {
            environment: self.env.clone(),
            application: self.app.clone(),
            version: self.app_version.clone(),
            containers: self.containers.clone(),
            operation: self.operation,
            names: self.locks.clone(),
            sharing: match (self.shared, self.slots) {
                (true, _) => Sharing::Shared,
                (false, Some(slots)) => Sharing::Slots(slots),
                (false, None) => Sharing::AsDeclared,
            },
            exclusive: self.exclusive,
            versioned: false,
        }
    }

    /// The locks that this target takes, by the topology.
    pub fn plan(&self, context: &Context) -> Result<Plan, Failure> {
        self.versioned_plan(context, false)
    }

    /// [`TargetArgs::plan`], where `versioned` for a deployment that gets a version.
    pub fn versioned_plan(&self, context: &Context, versioned: bool) -> Result<Plan, Failure> {
        let known = context.known()?;
        policy::plan(known.topology(), &Target { versioned, ..self.target() }).map_err(|e| match (e, known) {
            (PolicyError::NoTopology { environment }, Known::Nowhere(looked)) => {
                let places: Vec<String> = looked.iter().map(|p| p.display().to_string()).collect();
                let text = format!(
                    "environment `{environment}` needs a topology file, and there is none; looked for {}. \
                     Write one with `deploylock init`, or name it with --config",
                    places.join(", ")
                );
                Failure::text(code::USAGE, text)
            }
            (e, _) => e.into(),
        })
    }

    /// The options again, for a command that a message suggests.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |option: &str, value: &str| words.push(format!("{option}={value}"));
        if let Some(env) = &self.env {
            add("--env", env);
        }
        if let Some(app) = &self.app {
            add("--app", app);
        }
        self.containers.iter().for_each(|c| add("--container", c));
        self.locks.iter().for_each(|l| add("--lock", l));
        if let Some(slots) = self.slots {
            add("--slots", &slots.to_string());
        }
        for (flag, on) in [("--shared", self.shared), ("--exclusive", self.exclusive)] {
            if on {
                words.push(flag.to_owned());
            }
        }
        words
    }
}

/// Who asks, why, and for how long.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "Record")]
pub struct RecordArgs {
    /// Why, for people to read
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Who; by default `user@host`
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// The pipeline's page
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// How long to hold without being renewed
    #[arg(long, value_name = "DURATION", value_parser = some_duration)]
    pub ttl: Option<Duration>,
    /// Pass an open freeze window of the environment; why, for the history
    #[arg(long, value_name = "REASON", value_parser = some_text)]
    pub override_freeze: Option<String>,
}

/// Text that says something.
fn some_text(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("must say why, for the history".to_owned()) } else { Ok(text.to_owned()) }
}

/// What a conflict does.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[command(next_help_heading = "Waiting")]
pub struct WaitArgs {
    /// Do not wait
    #[arg(short, long, conflicts_with_all = ["wait", "wait_at_most"])]
    pub no_wait: bool,
    /// Wait for ever, or with =DURATION at most that long
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = duration)]
    pub wait: Option<Option<Duration>>,
    /// Wait at most this long
    #[arg(short = 'w', value_name = "DURATION", value_parser = duration, conflicts_with = "wait")]
    pub wait_at_most: Option<Duration>,
    /// Do not wait for what a person holds: `acquire` without a process, a failure or crash that was kept
    #[arg(long)]
    pub no_wait_for_manual: bool,
    /// The exit code where the locks are not acquired [default: 75]
    #[arg(short = 'E', long, value_name = "N")]
    pub conflict_exit_code: Option<u8>,
}

impl WaitArgs {
    /// Whether anything was said about waiting.
    pub fn any(&self) -> bool {
        self.no_wait || self.wait.is_some() || self.wait_at_most.is_some()
    }

    /// What the options say; `None` where they say nothing.
    pub fn patience(&self) -> Option<Patience> {
        match (self.no_wait, self.wait, self.wait_at_most) {
            (true, _, _) => Some(Patience::None),
            (_, Some(None), _) => Some(Patience::Forever),
            (_, Some(Some(Duration::ZERO)), _) | (_, _, Some(Duration::ZERO)) => Some(Patience::None),
            (_, Some(Some(d)), _) | (_, _, Some(d)) => Some(Patience::AtMost(d)),
            _ => None,
        }
    }

    /// Whether what a person holds is not waited for.
    pub fn refuse_manual(&self, plan: &Plan) -> bool {
        self.no_wait_for_manual || !plan.wait_for_manual
    }

    /// The exit code of a conflict.
    pub fn code(&self) -> u8 {
        self.conflict_exit_code.unwrap_or(code::NOT_ACQUIRED)
    }
}

/// What the topology says of a conflict.
pub fn policy_patience(plan: &Plan, pause: bool) -> Patience {
    let retry = plan.retry.as_ref().map(|_| plan.queue_bound);
    Patience::Policy { retry, queue: plan.queue_bound, pause }
}

/// The locks of a plan.
pub fn requests(plan: &Plan) -> Vec<LockRequest> {
    plan.locks.iter().map(|l| l.request.clone()).collect()
}

/// What to ask the store for.
pub fn draft(target: &TargetArgs, record: &RecordArgs, plan: &Plan, parent: Option<Id>) -> Draft {
    Draft {
        environment: target.env.clone(),
        application: target.app.clone(),
        version: target.app_version.clone(),
        operation: target.operation,
        containers: plan.containers.clone(),
        locks: requests(plan),
        owner: record.owner.clone().unwrap_or_else(super::context::myself),
        reason: record.reason.clone(),
        url: record.url.clone(),
        ttl: record.ttl,
        parent,
        on_crash: plan.on_crash,
        on_failure: plan.on_failure,
        supersede: plan.latest,
        ..Draft::default()
    }
}
