//! `[store] backend = "etcd"`: from the topology to a cluster and a way in, and a check of both.

use std::path::Path;
use std::time::Duration;

use super::check::{Findings, check_records};
use super::failure::{Failure, code};
use crate::store::Store as _;
use crate::store::etcd::{Checked, EtcdStore, LEASE, PREFIX, Password, Place, TlsFiles};
use crate::topology::Topology;

/// The password, where no file is named.
const PASSWORD: &str = "DEPLOYLOCK_ETCD_PASSWORD";

/// The store that `[store]` describes.
pub fn store(topology: &Topology) -> Result<EtcdStore, Failure> {
    let wrong =
        |why: String| Failure::text(code::TOPOLOGY, format!("{}: [store]: {why}", topology.path.display()));
    let said = &topology.store;
    let identity = match (topology.beside(&said.cert), topology.beside(&said.key)) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err(wrong("cert and key are used together; one of them is missing".to_owned())),
    };
    let login = match &said.user.value {
        Some(user) => Some((user.clone(), password(topology).map_err(wrong)?)),
        None if said.password_file.value.is_some() => {
            return Err(wrong("password_file has no effect without user".to_owned()));
        }
        None => None,
    };
    let place = Place {
        endpoints: said.endpoints.value.clone(),
        prefix: said.prefix.value.clone().unwrap_or_else(|| PREFIX.to_owned()),
        tls: TlsFiles { ca: topology.beside(&said.ca), identity },
        login,
        lease: said.lease.value.unwrap_or(LEASE),
        ..Place::default()
    };
    EtcdStore::new(place).map_err(wrong)
}

fn password(topology: &Topology) -> Result<Password, String> {
    let text = match topology.beside(&topology.store.password_file) {
        Some(file) => read(&file)?,
        None => std::env::var(PASSWORD).map_err(|_| {
            format!("user needs a password: name its file with password_file, or set {PASSWORD}")
        })?,
    };
    let first = text.lines().next().unwrap_or_default().to_owned();
    if first.is_empty() {
        return Err("the password is empty".to_owned());
    }
    Ok(Password::new(first))
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file)
        .map_err(|e| format!("cannot read the password from {}: {e}", file.display()))
}

/// An answer that takes longer makes every deployment wait.
const SLOW: Duration = Duration::from_millis(250);
/// Clocks further apart make the times in `list` misleading. No lock depends on them.
const SKEWED: i64 = 3;

/// Checks the members, the way in, and what lies there.
pub fn check(store: &EtcdStore, found: &mut Findings) -> Result<(), Failure> {
    let members = store.members();
    let mut clusters = Vec::new();
    for member in &members {
        match &member.answer {
            Ok(checked) => {
                clusters.push(checked.cluster);
                check_member(&member.endpoint, checked, found);
            }
            Err(why) => found.warnings.push(format!("{why} (the others are used instead)")),
        }
    }
    clusters.sort_unstable();
    clusters.dedup();
    if clusters.len() > 1 {
        found.errors.push(
            "the endpoints belong to different clusters: whoever asks one does not see the locks of the others"
                .to_owned(),
        );
    }
    match store.probe() {
        Ok(took) => found.fine.push(format!("{}: readable, in {}", store.describe(), milliseconds(took))),
        Err(e) => {
            found.errors.push(e.to_string());
            return Ok(());
        }
    }
    check_records(store, found)
}

fn check_member(endpoint: &str, checked: &Checked, found: &mut Findings) {
    let latency = milliseconds(checked.latency);
    found.fine.push(format!("{endpoint}: etcd {}, answers in {latency}", checked.version));
    let old = ["0.", "1.", "2.", "3.0.", "3.1.", "3.2.", "3.3."];
    if old.iter().any(|v| checked.version.starts_with(v)) {
        found
            .errors
            .push(format!("{endpoint}: etcd {} is too old; 3.4 is the oldest that is used", checked.version));
    }
    if checked.latency > SLOW {
        found.warnings.push(format!("{endpoint}: an answer takes {latency}"));
    }
    if !checked.has_leader {
        found.warnings.push(format!("{endpoint}: knows no leader; is a majority of the members running?"));
    }
    found.errors.extend(checked.alarms.iter().map(|alarm| format!("{endpoint}: {alarm}")));
    if let Some(skew) = checked.skew.filter(|s| s.abs() >= SKEWED) {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        found.warnings.push(format!(
            "{endpoint}: its clock is {} s {way} this host's; times in `list` mislead (no lock depends on them)",
            skew.abs()
        ));
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
