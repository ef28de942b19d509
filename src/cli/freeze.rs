//! Freeze windows of a target, and the command that passes them.

use super::context::{Context, inherited_id, myself};
use super::failure::{Failure, code};
use super::target::RecordArgs;
use crate::freeze::Gate;
use crate::ops::acquire::{Draft, ancestors_of};
use crate::store::{self, Store};

/// The windows of what is asked for, as they stand before the one who asks.
pub fn gate(context: &Context, draft: &Draft, overriding: Option<&str>) -> Result<Option<Gate>, Failure> {
    if overriding.is_some() && draft.environment.is_none() {
        let why = "--override-freeze needs --env: only environments have freeze windows";
        return Err(Failure::text(code::USAGE, why));
    }
    let gate = gate_of(context, draft.environment.as_deref(), || draft.owner.clone())?;
    Ok(gate.map(|gate| Gate { overriding: overriding.map(str::to_owned), ..gate }))
}

/// The windows of an environment; `None` where it has none.
pub fn gate_of(
    context: &Context,
    environment: Option<&str>,
    owner: impl FnOnce() -> String,
) -> Result<Option<Gate>, Failure> {
    let Some(environment) = environment else {
        return Ok(None);
    };
    let Some(topology) = context.known()?.topology() else {
        return Ok(None);
    };
    let windows = topology.environments.get(environment).map(|it| &it.freeze);
    Ok(windows.filter(|windows| !windows.is_empty()).map(|windows| Gate {
        environment: environment.to_owned(),
        file: topology.path.clone(),
        windows: windows.clone(),
        owner: owner(),
        overriding: None,
    }))
}

/// [`gate_of`] for who asks without an override; `None` inside a deployment that holds, which it would be part of.
pub fn gate_outside(
    context: &Context,
    store: &dyn Store,
    environment: Option<&str>,
) -> Result<Option<Gate>, Failure> {
    let gate = gate_of(context, environment, myself)?;
    let (Some(_), Some(parent)) = (&gate, inherited_id()) else {
        return Ok(gate);
    };
    let ancestors = store::look(store, |txn| ancestors_of(txn, &parent))?.unwrap_or_default();
    Ok(gate.filter(|_| ancestors.is_empty()))
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
