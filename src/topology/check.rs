//! Whether what the file names is declared in it, and whether every `part_of` chain ends.
//!
//! Only errors; what is merely odd is `warnings`'.

use std::collections::{BTreeMap, BTreeSet};

use super::Topology;
use super::error::{Source, TopologyError};
use super::read::Name;
use super::suggest::{closest, quote};

/// What a name that the file uses must be declared as.
#[derive(Clone, Copy)]
pub(super) enum Needs<'a> {
    Engine,
    Environment,
    Container,
    /// A container of this environment.
    ContainerIn(&'a str),
    /// A container that this one is part of.
    PartOf(&'a str),
}

/// The names that the file uses, collected while it is read.
#[derive(Default)]
pub(super) struct References<'a> {
    used: Vec<(Needs<'a>, Name<'a>)>,
}

impl<'a> References<'a> {
    pub(super) fn add(&mut self, needs: Needs<'a>, name: Name<'a>) {
        self.used.push((needs, name));
    }

    pub(super) fn add_all(&mut self, needs: Needs<'a>, names: Vec<Name<'a>>) {
        self.used.extend(names.into_iter().map(|name| (needs, name)));
    }

    /// The first in the file that is not declared is the error, then the first circle.
    pub(super) fn check(mut self, source: &Source<'_>, topology: &Topology) -> Result<(), TopologyError> {
        self.used.sort_by_key(|(_, name)| name.place.start);
        for (needs, name) in &self.used {
            declared(topology, *needs, name.text).map_err(|message| source.error(&name.place, message))?;
        }
        self.chains(source, topology)
    }

    fn chains(&self, source: &Source<'_>, topology: &Topology) -> Result<(), TopologyError> {
        let mut ends = BTreeSet::new();
        for (needs, _) in &self.used {
            let Needs::PartOf(start) = *needs else { continue };
            if let Some(circle) = circle_from(start, topology, &mut ends) {
                let closes = circle.len() - 2;
                let closing = |(needs, _): &&(Needs<'_>, Name<'_>)| matches!(needs, Needs::PartOf(of) if *of == circle[closes]);
                let place = self.used.iter().find(closing).map_or(0..0, |(_, name)| name.place.clone());
                let chain = circle.into_iter().map(quote).collect::<Vec<_>>().join(" -> ");
                let message = format!("part_of goes in a circle, {chain}: take one of these steps out");
                return Err(source.error(&place, message));
            }
        }
        Ok(())
    }
}

/// Follows the chain until it comes back to where it was: the circle. `ends` has the containers whose chains are known to
/// end, so that none is followed twice.
fn circle_from<'a>(
    start: &'a str,
    topology: &'a Topology,
    ends: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    let (mut chain, mut seen) = (vec![start], BTreeSet::new());
    seen.insert(start);
    let mut at = start;
    while let Some(next) =
        topology.containers.get(at).and_then(|container| container.part_of.value.as_deref())
    {
        if ends.contains(next) {
            break;
        }
        chain.push(next);
        if !seen.insert(next) {
            let first = chain.iter().position(|name| *name == next)?;
            return Some(chain.split_off(first));
        }
        at = next;
    }
    ends.extend(chain);
    None
}

fn declared(topology: &Topology, needs: Needs<'_>, name: &str) -> Result<(), String> {
    match needs {
        Needs::Engine => in_map(&topology.engines, name, "engine", "give it a table, which may be empty"),
        Needs::Environment => in_map(&topology.environments, name, "environment", "give it a table"),
        Needs::Container | Needs::PartOf(_) => {
            in_map(&topology.containers, name, "container", "give it a table or list it in an environment")
        }
        Needs::ContainerIn(environment) => in_environment(topology, environment, name),
    }
}

fn in_map<T>(map: &BTreeMap<String, T>, name: &str, kind: &str, otherwise: &str) -> Result<(), String> {
    if map.contains_key(name) {
        return Ok(());
    }
    let hint = match closest(name, map.keys().map(String::as_str)) {
        Some(close) => format!("did you mean {}?", quote(close)),
        None => otherwise.to_owned(),
    };
    Err(format!("{kind} {} is not declared: {hint}", quote(name)))
}

fn in_environment(topology: &Topology, environment: &str, name: &str) -> Result<(), String> {
    let Some(declared) = topology.environments.get(environment) else {
        return Ok(()); // Refused already, at the place that names the environment.
    };
    if declared.listed(name).is_some() {
        return Ok(());
    }
    let hint = match closest(name, declared.containers.iter().map(|listed| listed.name.as_str())) {
        Some(close) => format!("did you mean {}?", quote(close)),
        None => "add it to the environment's containers".to_owned(),
    };
    Err(format!("container {} is not in environment {}: {hint}", quote(name), quote(environment)))
}
