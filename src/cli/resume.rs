//! What `--resume` and `--id` name: a deployment that is there already, and how it can go on.

use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, inherited_id};
use super::failure::{Failure, code};
use super::freeze::gate;
use super::missing;
use super::target::{RecordArgs, WaitArgs};
use crate::deployment::{Deployment, Id, State, Stored, Verdict};
use crate::ops::acquire::{self, Draft, Patience};
use crate::ops::survey::judged;
use crate::ops::takeover::{Anew, TakenOver, take_over};
use crate::output::fate;
use crate::output::message::breakage;
use crate::output::style::clean;
use crate::store::{Lease, Store};

/// A paused deployment's own target, to be tried again.
fn paused(store: &dyn Store, id: &Id, record: &RecordArgs) -> Result<Option<Draft>, Failure> {
    let Some(d) = acquire::paused(store, id)?.map(Arc::unwrap_or_clone) else { return Ok(None) };
    Ok(Some(Draft {
        environment: d.environment,
        application: d.application,
        version: d.version,
        operation: d.operation,
        containers: d.containers,
        locks: d.locks,
        owner: record.owner.clone().unwrap_or(d.owner),
        reason: record.reason.clone().or(d.reason),
        url: record.url.clone().or(d.url),
        ttl: record.ttl.or(d.ttl),
        parent: inherited_id(),
        on_crash: d.on_crash,
        on_failure: d.on_failure,
        resume: Some(id.clone()),
        ..Draft::default()
    }))
}

/// [`paused`] as it is to be asked for: blocked again, it stays paused, unless it was said to wait. With how late
/// another host's change may be noticed.
pub fn again(
    context: &Context,
    store: &dyn Store,
    id: &Id,
    wait: &WaitArgs,
    record: &RecordArgs,
) -> Result<Option<(Draft, Patience, Duration)>, Failure> {
    let Some(mut draft) = paused(store, id, record)? else { return Ok(None) };
    let (refuse_manual, retry) = as_declared(context, draft.environment.as_deref())?;
    draft.refuse_manual = refuse_manual || wait.no_wait_for_manual;
    draft.gate = gate(context, store, &draft, record.override_freeze.as_deref())?;
    let patience = wait.patience().unwrap_or(Patience::None);
    Ok(Some((draft, patience, retry)))
}

/// Whether what a person holds is not waited for, and how late another host's change may be noticed: as the
/// environment of the resumed deployment says. One that the topology no longer declares says nothing.
fn as_declared(context: &Context, environment: Option<&str>) -> Result<(bool, Duration), Failure> {
    let Some(name) = environment else { return Ok((false, context.retry())) };
    let declared = context.known()?.topology().and_then(|t| t.environments.get(name));
    Ok(declared.map_or((false, context.retry()), |e| (!e.wait_for_manual.value, e.retry_interval.value)))
}

/// Why `id` cannot be tried again.
pub fn not_paused(context: &Context, store: &dyn Store, id: &Id) -> Result<Failure, Failure> {
    let commands = context.commands(Vec::new());
    let found = judged(store, id)?.map(|(stored, verdict)| (stored.state(), verdict));
    let why = match found {
        Some((_, Verdict::Kept(why))) => format!(
            "{id} is not paused, it holds its locks: {why}; go on under them with `{} -- CMD`",
            commands.line(&["run", "--resume", id.as_str()])
        ),
        Some((State::Waiting, Verdict::Alive(_))) => format!("{id} is not paused, it waits already"),
        Some((state, Verdict::Alive(_) | Verdict::Unbound)) if state.holds() => {
            format!("{id} is not paused, it holds its locks")
        }
        Some((_, Verdict::Dead(why))) => format!("{id} is not paused, it is stale: {why}"),
        Some((_, Verdict::Unknown(why) | Verdict::Lingering(why))) => format!("{id} is not paused: {why}"),
        Some(_) => format!("{id} is not paused"),
        None => return Ok(missing::not_there(context, store, id)),
    };
    let why = clean(&why);
    Ok(Failure::text(code::NOT_THERE, format!("{why}\n  show it  {}", commands.line(&["list"]))))
}

/// A deployment that failed or crashed and was kept, taken over by this process.
pub fn kept(
    context: &Context,
    store: &dyn Store,
    id: &Id,
    record: &RecordArgs,
) -> Result<(Arc<Deployment>, Box<dyn Lease>), Failure> {
    let commands = context.commands(Vec::new());
    let RecordArgs { reason, owner, url, ttl, override_freeze: _ } = record.clone();
    match take_over(store, id, &Anew { owner, reason, url, ttl }, &super::context::myself())? {
        TakenOver::Done(d, lease) => Ok((d, lease)),
        TakenOver::NotThere => Err(Failure::text(
            code::NOT_THERE,
            format!("there is nothing to go on with: {}", missing::holds_nothing(context, store, id)),
        )),
        TakenOver::NotKept(d, Verdict::Unbound) => Err(Failure::text(
            code::FAILED,
            format!(
                "{id} holds its locks and has not failed: a command runs under it with `{} -- CMD`",
                commands.line(&["run", "--id", d.id.as_str()])
            ),
        )),
        TakenOver::NotKept(d, verdict) => {
            let now = crate::clock::now().wall;
            let what = breakage(&Stored::Readable(State::Attached, d), &verdict, now);
            Err(Failure::text(
                code::FAILED,
                format!(
                    "nobody can go on with a deployment that lives: {what}\n  end it  {}",
                    commands.line(&["cancel", id.as_str()])
                ),
            ))
        }
        TakenOver::Unreadable(path) => Err(unreadable(context, id, &path)),
    }
}

/// A deployment that `acquire` returned and that holds.
pub fn acquired(context: &Context, store: &dyn Store, id: &Id) -> Result<Arc<Deployment>, Failure> {
    let commands = context.commands(Vec::new());
    let not_there = |why: String| Failure::text(code::NOT_THERE, why);
    match judged(store, id)? {
        None => Err(missing::not_there(context, store, id)),
        Some((Stored::Unreadable(u), _)) => Err(unreadable(context, id, &u.path)),
        Some((stored, _)) if !stored.state().holds() => {
            Err(not_there(fate::holds_nothing(id, stored.state(), &commands)))
        }
        Some((_, Verdict::Dead(why))) => Err(not_there(fate::stale(id, &why, &commands))),
        Some((_, Verdict::Kept(why))) => Err(Failure::text(
            code::FAILED,
            format!(
                "{id} is kept for a person: {why}; go on under its locks with `{} -- CMD`",
                commands.line(&["run", "--resume", id.as_str()])
            ),
        )),
        Some((Stored::Readable(State::Detached, d), _)) => Ok(d),
        Some(_) => Err(Failure::text(
            code::FAILED,
            format!(
                "{id} belongs to a `deploylock run`; `--id` is for what `deploylock acquire` returned. Inside \
                 that run's command a `deploylock run` with a target counts its locks as held"
            ),
        )),
    }
}

fn unreadable(context: &Context, id: &Id, path: &str) -> Failure {
    let clear = context.commands(Vec::new()).line(&["clear", id.as_str()]);
    let why = format!("the record of {id} cannot be read: {}\n  clear it  {clear}", clean(path));
    Failure::text(code::FAILED, why)
}
