//! Freeze windows of a target, and the command that passes them.

use super::context::{Context, inherited_id};
use super::failure::{Failure, code};
use super::target::RecordArgs;
use crate::deployment::Stored;
use crate::freeze::Gate;
use crate::ops::acquire::{Draft, ancestors_of};
use crate::store::{self, Store};

/// The windows of what is asked for, as they stand before the one who asks.
pub fn gate(
    context: &Context,
    store: &dyn Store,
    draft: &Draft,
    overriding: Option<&str>,
) -> Result<Option<Gate>, Failure> {
    if overriding.is_some() && draft.environment.is_none() {
        let why = "--override-freeze needs --env: only environments have freeze windows";
        return Err(Failure::text(code::USAGE, why));
    }
    let gate = gate_of(context, store, draft.environment.as_deref(), || draft.owner.clone())?;
    Ok(gate.map(|gate| gate.overridden(overriding)))
}

/// The windows of an environment; `None` where it has none, and inside a deployment that holds in this environment,
/// which what is asked for would be part of.
pub fn gate_of(
    context: &Context,
    store: &dyn Store,
    environment: Option<&str>,
    owner: impl FnOnce() -> String,
) -> Result<Option<Gate>, Failure> {
    let Some(environment) = environment else {
        return Ok(None);
    };
    let Some(topology) = context.known()?.topology() else {
        return Ok(None);
    };
    let windows = topology.environments.get(environment).map_or(&[][..], |it| &it.freeze);
    if windows.is_empty() || is_part_of_one(store, environment)? {
        return Ok(None);
    }
    Ok(Gate::new(environment, &topology.path, windows, owner))
}

fn is_part_of_one(store: &dyn Store, environment: &str) -> Result<bool, Failure> {
    let Some(parent) = inherited_id() else {
        return Ok(false);
    };
    let found = store::look(store, |txn| {
        for id in ancestors_of(txn, &parent)? {
            let stored = txn.find(&id)?.filter(|stored| stored.state().holds());
            let there = stored.as_ref().and_then(Stored::deployment).and_then(|d| d.environment.as_deref());
            if there == Some(environment) {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    Ok(found.unwrap_or_default())
}

/// A command with its target and what is recorded of it, and with an override.
pub fn overriding(command: &str, target: Vec<String>, record: &RecordArgs) -> Vec<String> {
    let mut words = vec![command.to_owned()];
    words.extend(target);
    let ttl = record.ttl.map(|ttl| humantime::format_duration(ttl).to_string());
    let said =
        [("--reason", &record.reason), ("--owner", &record.owner), ("--url", &record.url), ("--ttl", &ttl)];
    words
        .extend(said.into_iter().filter_map(|(option, value)| Some(format!("{option}={}", value.as_ref()?))));
    words.extend(["--override-freeze", "REASON"].map(str::to_owned));
    words
}
