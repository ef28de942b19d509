//! What the commands say of a server: which one, whether it is well, and what lies there.

use crate::harness::Scene;

fn prefix(scene: &Scene) -> String {
    format!("/{}", scene.root().file_name().unwrap().to_str().unwrap())
}

#[test]
fn a_lock_is_a_key_of_its_own() {
    let scene = Scene::new();
    let (cluster, _) = crate::cluster::shared();
    let held = scene.hold(&["-l", "a b"]);
    let key = format!("{}/locks/name/a%20b", prefix(&scene));
    let shown: serde_json::Value =
        serde_json::from_str(&cluster.etcdctl(&["get", "--print-value-only", &key])).unwrap();
    assert_eq!(shown["lock"], "name:a b");
    assert_eq!(shown["holders"][0]["id"], held.as_str());
    assert_eq!(shown["waiters"].as_array().unwrap().len(), 0);
    scene.ok(&["release", &held]);
    let shown = cluster.etcdctl(&["get", "--print-value-only", &key]);
    assert!(shown.contains("\"holders\":[]"), "{shown}");
    scene.ok(&["clear", "--stale"]);
    assert_eq!(cluster.etcdctl(&["get", &key]), "");
}

#[test]
fn list_says_which_store_it_reads() {
    let scene = Scene::new();
    let (cluster, _) = crate::cluster::shared();
    let named = format!("etcd {} {}", cluster.endpoints()[0], prefix(&scene));
    assert!(scene.run(&["list"]).err.contains(&named));
    scene.hold(&["-l", "a"]);
    assert!(scene.run(&["list", "-v"]).err.contains(&named));
    assert_eq!(scene.run(&["list"]).err, "");
}

#[test]
fn check_asks_every_endpoint() {
    let scene = Scene::new();
    let (cluster, _) = crate::cluster::shared();
    let said = scene.run(&["check"]);
    assert_eq!(said.code, 0, "{said:?}");
    for word in ["the topology is right", "etcd 3.", "answers in", "readable, in", "0 held"] {
        assert!(said.out.contains(word), "{word}: {said:?}");
    }
    // One that does not answer is a warning, none that answers an error.
    let text = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    let more = text.replace("endpoints = [", "endpoints = [\"http://127.0.0.1:1\", ");
    std::fs::write(scene.path("deploylock.toml"), more).unwrap();
    let said = scene.run(&["check"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("warning: http://127.0.0.1:1: "), "{said:?}");
    scene.ok(&["run", "-l", "a", "--", "true"]);
    let none = text.replace(&cluster.endpoints()[0], "http://127.0.0.1:1");
    std::fs::write(scene.path("deploylock.toml"), none).unwrap();
    assert_eq!(scene.run(&["check"]).code, 1);
}

#[test]
fn what_is_wrong_with_the_table_is_78() {
    let scene = Scene::new();
    let try_with = |text: &str| {
        std::fs::write(scene.path("deploylock.toml"), format!("[store]\nbackend = \"etcd\"\n{text}\n"))
            .unwrap();
        let said = scene.run(&["list"]);
        assert_eq!(said.code, 78, "{text}: {said:?}");
        said.err
    };
    assert!(try_with("").contains("no endpoints"));
    assert!(try_with("endpoints = [\"ftp://x\"]").contains("no endpoint"));
    let one = "endpoints = [\"http://127.0.0.1:1\"]";
    assert!(try_with(&format!("{one}\nuser = \"me\"")).contains("DEPLOYLOCK_ETCD_PASSWORD"));
    assert!(try_with(&format!("{one}\ncert = \"c.pem\"")).contains("together"));
    assert!(try_with(&format!("{one}\nuser = \"me\"\npassword_file = \"none\"")).contains("cannot read"));
    assert!(try_with(&format!("{one}\nlease = \"2s\"")).contains("lease"));
}

#[test]
fn a_thousand_locks_are_one_step() {
    let containers: Vec<String> = (0..1000).map(|i| format!("\"c{i}\"")).collect();
    let scene = Scene::with_topology(&format!(
        "[environments.prod]\ncontainers = [{}]\nallow_concurrent_deployments = false\n\
         lock_all_containers_in_environment = true\n[environments.other]\ncontainers = [\"c7\"]\n",
        containers.join(", ")
    ));
    let held = scene.hold(&["-e", "prod"]);
    assert_eq!(scene.list()["locks"].as_array().unwrap().len(), 1001);
    assert_eq!(scene.run(&["run", "-n", "-e", "other", "--", "true"]).code, 75);
    scene.ok(&["release", &held]);
    let other = scene.hold(&["-e", "other"]);
    assert_eq!(scene.run(&["run", "-n", "-e", "prod", "--", "true"]).code, 75);
    scene.ok(&["release", &other]);
    assert_eq!(scene.run(&["run", "-n", "-e", "prod", "--", "true"]).code, 0);
}

#[test]
fn a_record_that_cannot_be_read_blocks_is_shown_and_goes_only_by_hand() {
    let scene = Scene::new();
    let (cluster, _) = crate::cluster::shared();
    let held = scene.hold(&["-l", "a"]);
    cluster.etcdctl(&["put", &format!("{}/deployments/{held}", prefix(&scene)), "nonsense"]);
    let said = scene.run(&["run", "-n", "-l", "a", "--", "true"]);
    assert_eq!(said.code, 75, "{said:?}");
    let said = scene.run(&["list"]);
    assert!(said.code == 0 && said.err.contains("cannot be read"), "{said:?}");
    assert_eq!(scene.run(&["check"]).code, 1);
    assert_eq!(scene.ok(&["clear", "--stale"]), "");
    assert_eq!(scene.run(&["run", "-n", "-l", "a", "--", "true"]).code, 75);
    scene.ok(&["clear", "--yes", &held]);
    assert_eq!(scene.run(&["run", "-n", "-l", "a", "--", "true"]).code, 0);
}
