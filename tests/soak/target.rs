//! Random targets, and the locks that the contract says they take, worked out here a second time: the program under
//! test is not asked what it should do.

use crate::random::Random;

/// Environments by every kind of setting; containers with limits, in groups, part of others.
pub const TOPOLOGY: &str = r#"
[environments.prod]
containers = ["web-1", "web-2", "db"]
allow_concurrent_deployments = false
lock_all_containers_in_environment = true
engine = "bpm"
[environments.stage]
containers = ["web-2", "st-1"]
limit_number_of_concurrent_deployments = 2
[environments.dev]
containers = ["d-1", "d-2", "d-3"]
[containers.d-1]
limit_number_of_concurrent_deployments = 2
[containers.d-2]
allow_concurrent_deployments = false
[containers.d-3]
part_of = "cell"
[containers.cell]
limit_number_of_concurrent_deployments = 2
[groups.web-tier]
containers = ["web-1", "web-2"]
limit_number_of_concurrent_deployments = 1
[applications.shop]
allow_concurrent_deployments = false
[applications.news]
[applications.news.environments.dev]
allow_concurrent_deployments = false
[engines.bpm]
"#;

const ENVIRONMENTS: [(&str, &[&str]); 3] =
    [("prod", &["web-1", "web-2", "db"]), ("stage", &["web-2", "st-1"]), ("dev", &["d-1", "d-2", "d-3"])];

/// Exclusive.
const ALONE: Policy = Policy { exclusive: true, limit: 0 };
/// Shared without a limit.
const SHARED: Policy = Policy { exclusive: false, limit: 0 };

/// How a lock is taken; limit 0 is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The only holder.
    pub exclusive: bool,
    /// How many may hold.
    pub limit: u32,
}

/// What to ask for.
pub struct Target {
    /// The options that say it.
    pub options: Vec<String>,
    /// The locks that follow: `kind:name=x0`, `kind:name=s2`, joined by commas.
    pub expected: String,
}

/// A target that conflicts with about half of the others.
pub fn random(random: &mut Random) -> Target {
    if random.one_in(3) { named(random) } else { deployed(random) }
}

fn named(random: &mut Random) -> Target {
    let (mut options, mut locks) = (Vec::new(), Vec::new());
    let policy = match random.below(4) {
        0 => SHARED,
        1 => Policy { exclusive: false, limit: 2 },
        2 => Policy { exclusive: false, limit: 3 },
        _ => ALONE,
    };
    for name in ["n-1", "n-2", "n-3"] {
        if random.one_in(2) || (name == "n-3" && options.is_empty()) {
            options.extend(["--lock".to_owned(), name.to_owned()]);
            locks.push((format!("name:{name}"), policy));
        }
    }
    match policy {
        ALONE => {}
        SHARED => options.push("--shared".to_owned()),
        Policy { limit, .. } => options.extend(["--slots".to_owned(), limit.to_string()]),
    }
    Target { options, expected: written(&locks) }
}

fn deployed(random: &mut Random) -> Target {
    let (environment, containers) = random.one_of(&ENVIRONMENTS);
    let mut options = vec!["--env".to_owned(), (*environment).to_owned()];
    let application = match random.below(3) {
        0 => None,
        1 => Some("shop"),
        _ => Some("news"),
    };
    options.extend(application.iter().flat_map(|a| ["--app".to_owned(), (*a).to_owned()]));
    let one = (!random.one_in(4)).then(|| *random.one_of(containers));
    options.extend(one.iter().flat_map(|c| ["--container".to_owned(), (*c).to_owned()]));
    let touched = one.map_or(containers.to_vec(), |one| vec![one]);
    Target { options, expected: written(&locks_of(environment, containers, application, &touched)) }
}

/// The seven rules of the contract for [`TOPOLOGY`].
fn locks_of(env: &str, all: &[&str], app: Option<&str>, touched: &[&str]) -> Vec<(String, Policy)> {
    let mut locks = Vec::new();
    if env == "prod" {
        locks.push(("engine:bpm".to_owned(), ALONE));
    }
    if let Some(app) = app {
        let application = if app == "shop" { ALONE } else { SHARED };
        let deployed = if app == "news" && env == "dev" { ALONE } else { SHARED };
        locks.push((format!("application:{app}@{env}"), application));
        locks.push((format!("deployed-application:{app}@{env}"), deployed));
    }
    let environment = match env {
        "prod" => ALONE,
        "stage" => Policy { exclusive: false, limit: 2 },
        _ => SHARED,
    };
    locks.push((format!("environment:{env}"), environment));
    for container in if env == "prod" { all } else { touched } {
        let own = match *container {
            _ if env == "prod" => ALONE,
            "d-1" => Policy { exclusive: false, limit: 2 },
            "d-2" => ALONE,
            _ => SHARED,
        };
        locks.push((format!("container:{container}"), own));
        if *container == "d-3" {
            locks.push(("container:cell".to_owned(), Policy { exclusive: false, limit: 2 }));
        }
    }
    if touched.iter().any(|c| c.starts_with("web-")) {
        locks.push(("group:web-tier".to_owned(), Policy { exclusive: false, limit: 1 }));
    }
    locks
}

fn written(locks: &[(String, Policy)]) -> String {
    let mut locks: Vec<String> = locks
        .iter()
        .map(|(lock, p)| format!("{lock}={}{}", if p.exclusive { 'x' } else { 's' }, p.limit))
        .collect();
    locks.sort();
    locks.join(",")
}

/// Reads what [`Target::expected`] says.
pub fn read(expected: &str) -> impl Iterator<Item = (&str, Policy)> {
    expected.split(',').map(|lock| {
        let (name, policy) = lock.rsplit_once('=').expect("a lock and its policy");
        let limit = policy[1..].parse().expect("a limit");
        (name, Policy { exclusive: policy.starts_with('x'), limit })
    })
}
