//! What a target names, looked up in the topology.
//!
//! Every name that is not declared is refused here; which locks follow is the rules'.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{Hint, PolicyError};
use super::lock_set::Wish;
use crate::model::{Target, check_name};
use crate::topology::{Application, Environment, Listed, Topology};

/// The declared things that a deployment to an environment is about.
pub(super) struct Scope<'a> {
    pub(super) topology: &'a Topology,
    pub(super) target: &'a Target,
    /// The name of the environment.
    pub(super) name: &'a str,
    pub(super) environment: &'a Environment,
    pub(super) application: Option<(&'a str, &'a Application)>,
    /// The containers it touches, each once.
    pub(super) touched: Vec<&'a str>,
    /// The environment's containers, and the lines that list them.
    listed: BTreeMap<&'a str, usize>,
}

impl<'a> Scope<'a> {
    pub(super) fn resolve(
        topology: &'a Topology,
        target: &'a Target,
        name: &'a str,
    ) -> Result<Self, PolicyError> {
        let undeclared = |kind, name: &str, hint| {
            let (name, path) = (name.to_owned(), topology.path.clone());
            PolicyError::Undeclared { kind, name, path, hint }
        };
        let environment = topology.environments.get(name).ok_or_else(|| {
            let hint = Hint::among(name, topology.environments.keys().map(String::as_str));
            undeclared("environment", name, hint)
        })?;
        let application = match &target.application {
            None => None,
            Some(name) => Some((
                name.as_str(),
                topology.applications.get(name).ok_or_else(|| {
                    let hint = Hint::among(name, topology.applications.keys().map(String::as_str));
                    undeclared("application", name, hint)
                })?,
            )),
        };
        let mut listed = BTreeMap::new();
        listed.extend(environment.containers.iter().map(|listed| (listed.name.as_str(), listed.line)));
        let mut scope =
            Scope { topology, target, name, environment, application, touched: Vec::new(), listed };
        scope.touched = scope.containers_asked_for()?;
        Ok(scope)
    }

    /// Those asked for, else those the application is mapped to, else the environment's.
    fn containers_asked_for(&self) -> Result<Vec<&'a str>, PolicyError> {
        if self.target.containers.is_empty() {
            return Ok(self.mapped().iter().map(|listed| listed.name.as_str()).collect());
        }
        let mut seen = BTreeSet::new();
        let mut asked = Vec::new();
        for name in &self.target.containers {
            if !self.listed.contains_key(name.as_str()) {
                return Err(self.not_here(name));
            }
            if seen.insert(name) {
                asked.push(name.as_str());
            }
        }
        Ok(asked)
    }

    fn mapped(&self) -> &'a [Listed] {
        let deployed = self.application.and_then(|(_, application)| application.environments.get(self.name));
        match deployed {
            Some(deployed) if !deployed.containers.is_empty() => &deployed.containers,
            _ => &self.environment.containers,
        }
    }

    fn not_here(&self, name: &str) -> PolicyError {
        let (name, path) = (name.to_owned(), self.topology.path.clone());
        let here = names(&self.environment.containers);
        if self.topology.containers.contains_key(&name) {
            // No misspelling: it exists, so a similar name is no better guess than another.
            let (environment, hint) = (self.name.to_owned(), Hint::all(here));
            return PolicyError::ContainerOutside { container: name, environment, path, hint };
        }
        // The closest of this environment's, else the closest of all, else what there is here.
        let everywhere = self.topology.containers.keys().map(String::as_str);
        let hint = match (Hint::among(&name, here), Hint::among(&name, everywhere)) {
            (Hint::Declared(_), close @ Hint::Closest(_)) => close,
            (hint, _) => hint,
        };
        PolicyError::Undeclared { kind: "container", name, path, hint }
    }

    /// Rule 4: whether containers that are not touched are locked too.
    pub(super) fn locks_all(&self) -> bool {
        let prevents = self.target.exclusive || !self.environment.concurrency.allow.value;
        prevents && self.environment.lock_all.value
    }

    /// A container's own setting.
    pub(super) fn container(&self, rule: u8, name: &str) -> Wish {
        let Some(container) = self.topology.containers.get(name) else {
            return Wish::declared(rule, &Default::default(), self.environment.line);
        };
        // Of the lists that declare a container without a table, this environment's is the one to show.
        let listed = self.listed.get(name).filter(|_| !container.has_table);
        Wish::declared(rule, &container.concurrency, *listed.unwrap_or(&container.line))
    }
}

/// Whether the options of a target make sense together, and its names are names.
pub(super) fn check_options(target: &Target) -> Result<(), PolicyError> {
    if target.environment.is_none() {
        let wrong = needs_environment(target).or(target.names.is_empty().then_some(PolicyError::Nothing));
        wrong.map_or(Ok(()), Err)?;
    }
    if target.versioned && target.application.is_none() {
        return Err(PolicyError::NeedsApplication);
    }
    check_names("--env", &target.environment)?;
    check_names("--app", &target.application)?;
    check_names("--container", &target.containers)?;
    check_names("--lock", &target.names)
}

fn needs_environment(target: &Target) -> Option<PolicyError> {
    let given = [
        (target.application.is_some(), "--app"),
        (!target.containers.is_empty(), "--container"),
        (target.exclusive, "--exclusive"),
        (target.versioned, "--resource"),
    ];
    let option = given.into_iter().find_map(|(given, option)| given.then_some(option))?;
    Some(PolicyError::NeedsEnvironment { option })
}

fn check_names<'a>(
    option: &'static str,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<(), PolicyError> {
    for name in names {
        check_name(name).map_err(|why| PolicyError::Name { option, why })?;
    }
    Ok(())
}

fn names(listed: &[Listed]) -> impl Iterator<Item = &str> + Clone {
    listed.iter().map(|listed| listed.name.as_str())
}
