//! What is read, and the line each setting stands on.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::starter::STARTER;
use super::super::value::camel;
use super::super::{Backend, HOOK_TIMEOUT, Listed, Setting, Topology, parse as keys};
use super::{EXAMPLE, topology};
use crate::model::{Hook, Keep};

#[test]
fn the_example_of_the_interface() {
    let topology = topology(EXAMPLE);
    assert_eq!(topology.warnings(), []);
    assert_eq!(topology.store.line, Some(1));
    assert_eq!(topology.store.mode, Setting::at(4, Some(0o2770)));
    let prod = &topology.environments["prod"];
    assert_eq!(prod.line, 6);
    assert_eq!(prod.containers[2], Listed { name: "db".to_owned(), line: 7 });
    assert_eq!(prod.concurrency.allow, Setting::at(8, false));
    assert_eq!(prod.concurrency.limit, Setting::unset(None));
    assert_eq!(prod.lock_all, Setting::at(9, true));
    assert_eq!(prod.retry, Setting::at(10, true));
    assert_eq!(prod.retry_interval, Setting::at(11, Duration::from_secs(30)));
    assert_eq!(prod.retry_attempts, Setting::at(12, 60));
    assert_eq!(prod.on_crash, Setting::at(13, Keep::Release));
    assert_eq!(prod.on_failure, Setting::at(14, Keep::Release));
    assert_eq!(prod.engine, Setting::at(15, Some("bpm".to_owned())));
    let web = &topology.containers["web-1"];
    assert_eq!((web.line, web.has_table), (17, true));
    assert_eq!(web.concurrency.limit, Setting::at(18, NonZeroU32::new(2)));
    assert_eq!(web.part_of, Setting::at(19, Some("cell-a".to_owned())));
    let db = &topology.containers["db"];
    assert_eq!((db.line, db.has_table), (7, false));
    assert_eq!(topology.groups["web-tier"].containers.len(), 2);
    let shop = &topology.applications["shop"];
    assert_eq!((shop.line, shop.concurrency.allow.line), (27, Some(28)));
    let deployed = &shop.environments["prod"];
    assert_eq!((deployed.line, deployed.concurrency.allow.line), (29, Some(30)));
    assert_eq!(deployed.containers, [Listed { name: "web-1".to_owned(), line: 31 }]);
    assert_eq!(topology.engines["bpm"].lock_used, Setting::at(34, true));
    assert_eq!(topology.locks["db-migrate"].concurrency.limit, Setting::at(37, NonZeroU32::new(1)));
}

#[test]
fn every_key_answers_to_its_camel_case_name() {
    let keys =
        [keys::TOP, keys::STORE, keys::ENVIRONMENT, keys::CONTAINER, keys::ENGINE, keys::LOCK].concat();
    let mut text = EXAMPLE.to_owned();
    for key in keys {
        text = text.replace(key, &camel(key));
    }
    assert!(
        text.contains("deploymentLockUsed") && text.contains("partOf") && !text.contains("_of"),
        "{text}"
    );
    assert_eq!(topology(&text), topology(EXAMPLE));
    // The names that users choose are left as they are.
    assert!(topology("[environments.partOf]\n").environments.contains_key("partOf"));
}

#[test]
fn an_empty_file_and_empty_tables() {
    let topology = topology("");
    assert_eq!(topology.store.backend, Setting::unset(Backend::Files));
    assert_eq!(topology.store_directory(), None);
    assert!(topology.environments.is_empty());
    super::topology("[environments]\n[containers]\n[store]\n[engines.x]\n[environments.e]\nengine = 'x'\n");
}

#[test]
fn tables_in_other_notations() {
    let topology = topology(
        "environments.prod.containers = ['c']\n[environments.test]\ncontainers = ['c']\n\n[locks]\nn = {}\n",
    );
    assert_eq!(topology.environments["prod"].line, 1);
    assert_eq!(topology.environments["test"].line, 2);
    assert_eq!(topology.containers["c"].line, 1, "the first list that names it");
    assert_eq!(topology.locks["n"].line, 6);
}

#[test]
fn a_container_in_several_environments() {
    let topology = topology("[environments.b]\ncontainers = ['c']\n[environments.a]\ncontainers = ['c']\n");
    assert_eq!(topology.containers["c"].line, 2);
    assert_eq!(topology.environments["a"].listed("c").map(|listed| listed.line), Some(4));
}

#[test]
fn time_spans() {
    for (written, seconds) in
        [("90", 90), ("1_000", 1000), ("0x10", 16), ("\"90\"", 90), ("\"90s\"", 90), ("\"1h 30m\"", 5400)]
    {
        let topology = topology(&format!("[environments.e]\nlock_retry_interval = {written}\n"));
        assert_eq!(
            topology.environments["e"].retry_interval.value,
            Duration::from_secs(seconds),
            "{written}"
        );
    }
}

#[test]
fn modes() {
    for (written, bits) in [("2770", 0o2770), ("02770", 0o2770), ("0o2770", 0o2770), ("700", 0o700)] {
        let topology = topology(&format!("[store]\nmode = \"{written}\"\n"));
        assert_eq!(topology.store.mode.value, Some(bits), "{written}");
    }
}

#[test]
fn the_store() {
    let etcd = topology("[store]\nbackend = 'etcd'\nendpoints = ['http://a:2379']\nprefix = '/d'\n");
    assert_eq!(etcd.store.backend, Setting::at(2, Backend::Etcd));
    assert_eq!(etcd.store.endpoints, Setting::at(3, vec!["http://a:2379".to_owned()]));
    assert_eq!(etcd.store.prefix, Setting::at(4, Some("/d".to_owned())));
    let secure =
        "[store]\nca = 'ca.pem'\ncert = 'a'\nkey = 'b'\nuser = 'me'\npasswordFile = 'p'\nlease = '1m'\n";
    let secure = Topology::parse(Path::new("/etc/x/d.toml"), secure).unwrap();
    assert_eq!(secure.beside(&secure.store.ca), Some(PathBuf::from("/etc/x/ca.pem")));
    assert_eq!(secure.beside(&secure.store.password_file), Some(PathBuf::from("/etc/x/p")));
    assert_eq!(secure.store.user.value.as_deref(), Some("me"));
    assert_eq!(secure.store.lease.value, Some(Duration::from_secs(60)));
    let directory = |path: &str, written: &str| {
        let text = format!("[store]\ndirectory = '{written}'\n");
        Topology::parse(Path::new(path), &text).unwrap().store_directory()
    };
    assert_eq!(directory("/etc/x/d.toml", "locks"), Some(PathBuf::from("/etc/x/locks")));
    assert_eq!(directory("/etc/x/d.toml", "/var/locks"), Some(PathBuf::from("/var/locks")));
    assert_eq!(directory("d.toml", "locks"), Some(PathBuf::from("locks")));
}

#[test]
fn the_hooks() {
    let topology = topology("[hooks]\nonWait = ['a', '']\non_clear = ['./b']\ntimeout = 3\n");
    let hooks = &topology.hooks;
    assert_eq!((hooks.line, hooks.timeout.clone()), (Some(1), Setting::at(4, Duration::from_secs(3))));
    assert_eq!(hooks.commands[&Hook::Wait], Setting::at(2, vec!["a".to_owned(), String::new()]));
    assert_eq!(topology.hook(Hook::Wait), Some(vec!["a".into(), "".into()]));
    assert_eq!(topology.hook(Hook::Clear), Some(vec!["././b".into()]));
    assert_eq!(topology.hook(Hook::Grant), None);
    let none = super::topology("").hooks;
    assert_eq!((none.line, none.commands.len(), none.timeout), (None, 0, Setting::unset(HOOK_TIMEOUT)));
    let keys: Vec<&str> = Hook::ALL.map(Hook::key).into_iter().chain(["timeout"]).collect();
    assert_eq!(keys, keys::HOOKS);
    for key in keys {
        super::topology(&format!(
            "[hooks]\non_wait = ['x']\n{}\n",
            match key {
                "on_wait" => String::new(),
                "timeout" => "timeout = '1s'".to_owned(),
                key => format!("{} = ['x']", camel(key)),
            }
        ));
    }
}

#[test]
fn the_program_of_a_hook_is_looked_for_beside_its_file() {
    let program = |written: &str| {
        let text = format!("[hooks]\non_grant = ['{written}']\n");
        Topology::parse(Path::new("/etc/x/d.toml"), &text).unwrap().hook(Hook::Grant).unwrap().remove(0)
    };
    assert_eq!(program("notify"), "notify");
    assert_eq!(program("./notify"), "/etc/x/./notify");
    assert_eq!(program("/bin/notify"), "/bin/notify");
}

#[test]
fn the_starter_is_accepted_without_a_warning() {
    assert_eq!(topology(STARTER).warnings(), []);
}

#[test]
fn the_starter_shows_every_key_and_each_can_be_uncommented() {
    let uncommented = STARTER.replace("\n#", "\n").replace("\n ", "\n# ");
    let all = uncommented.lines().skip(1).collect::<Vec<_>>().join("\n");
    topology(&all);
    let tables = [
        keys::TOP,
        keys::STORE,
        keys::ENVIRONMENT,
        keys::CONTAINER,
        keys::GROUP,
        keys::ENGINE,
        keys::DEPLOYED,
        keys::HOOKS,
        keys::APPLICATION,
        crate::topology::freeze::KEYS,
    ];
    for key in tables.concat() {
        assert!(STARTER.contains(key), "{key} is not in the starter");
    }
    let longest = STARTER.lines().map(str::len).max();
    assert!(longest <= Some(110), "{longest:?}");
}
