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

/// A scene whose topology has the old lock directory and the new cluster.
fn moving() -> Scene {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"web\"]\nallow_concurrent_deployments = false\n[applications.shop]\n",
    );
    let text = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    std::fs::write(scene.path("etcd.toml"), &text).unwrap();
    let files = text.replace("backend = \"etcd\"", "backend = \"files\"\ndirectory = \"locks\"");
    std::fs::write(scene.path("deploylock.toml"), files).unwrap();
    scene
}

#[test]
fn what_is_held_without_a_process_and_what_is_paused_moves_over() {
    let scene = moving();
    let on_etcd = ["--config", "etcd.toml"];
    let number = |text: &str| text.split('-').next().unwrap().parse::<u64>().unwrap();
    std::fs::write(scene.path("shop.war"), "1").unwrap();
    let version = ["run", "-e", "prod", "-a", "shop", "--resource", "shop.war", "--", "true"];
    for _ in 0..20 {
        assert_eq!(scene.run(&version).code, 0);
    }
    let held = scene.hold(&["-e", "prod", "--ttl", "1h", "--reason", "window"]);
    let paused = scene.run(&["acquire", "-e", "prod"]);
    assert_eq!((paused.code, paused.out.as_str()), (75, ""));
    let paused = crate::tools::id(&scene.until("paused", 1)[0]);
    let said = scene.run(&["migrate", "--to", "etcd"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("1 held, 1 paused, the versions of 1 applications, "), "{said:?}");
    assert!(said.err.contains("backend = \"etcd\""), "{said:?}");
    // Nothing is left, so it can be said again.
    assert!(scene.list()["deployments"].as_array().unwrap().is_empty());
    assert_eq!(scene.run(&["migrate", "--to", "etcd"]).code, 1, "the cluster is in use now");
    // What happened before is remembered there, once.
    let history = ["history", "--format", "json"];
    let before = scene.ok(&history);
    assert!(before.contains("\"released\"") && before.contains("window"), "{before}");
    assert_eq!(scene.ok(&[&on_etcd[..], &history].concat()), before);
    // The same ids, the same locks, the same order.
    assert_eq!(scene.run(&[&on_etcd[..], &["run", "-n", "-e", "prod", "--", "true"]].concat()).code, 75);
    scene.ok(&[&on_etcd[..], &["release", &held]].concat());
    let said = scene.run(&[&on_etcd[..], &["acquire", "--resume", &paused]].concat());
    assert_eq!((said.code, said.out.trim()), (0, paused.as_str()), "{said:?}");
    scene.ok(&[&on_etcd[..], &["release", &paused]].concat());
    let later = scene.ok(&[&on_etcd[..], &["acquire", "-e", "prod"]].concat());
    assert!(number(&later) > number(&held), "tokens go on growing: {later} after {held}");
    scene.ok(&[&on_etcd[..], &["release", &later]].concat());
    let told = [
        "run",
        "-e",
        "prod",
        "-a",
        "shop",
        "--resource",
        "shop.war",
        "--",
        "sh",
        "-c",
        "echo $DEPLOYLOCK_VERSION",
    ];
    assert_eq!(scene.ok(&[&on_etcd[..], &told].concat()), "21");
}

#[test]
fn nothing_moves_while_somebody_runs_or_waits() {
    let scene = moving();
    let run = crate::tools::holder(&scene, &["-e", "prod"]);
    let said = scene.run(&["migrate", "--to", "etcd"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.starts_with("deploylock: nothing was moved") && said.err.contains("prod"), "{said:?}");
    assert_eq!(scene.run(&["--config", "etcd.toml", "run", "-n", "-e", "prod", "--", "true"]).code, 0);
    drop(run);
}

#[test]
fn who_has_a_password_needs_it() {
    let cluster = crate::cluster::Cluster::start(1);
    for args in [
        &["user", "add", "root:toor"][..],
        &["user", "grant-role", "root", "root"],
        &["user", "add", "locks:secret"],
        &["role", "add", "locks"],
        &["role", "grant-permission", "locks", "--prefix=true", "readwrite", "/mine/"],
        &["user", "grant-role", "locks", "locks"],
        &["auth", "enable"],
    ] {
        cluster.etcdctl(args);
    }
    let scene = Scene::new();
    std::fs::write(scene.path("password"), "secret\n").unwrap();
    let table = |prefix: &str, more: &str| {
        let text = format!(
            "[store]\nbackend = \"etcd\"\nendpoints = {:?}\nprefix = \"{prefix}\"\n{more}\n",
            cluster.endpoints()
        );
        std::fs::write(scene.path("deploylock.toml"), text).unwrap();
    };
    let run = ["run", "-l", "a", "--", "true"];
    table("/mine", "user = \"locks\"\npassword_file = \"password\"");
    let said = scene.run(&run);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(scene.run(&["check"]).code, 0);
    table("/mine", "user = \"locks\"");
    let mut by_variable = scene.command(&run);
    assert_eq!(crate::steps::done(by_variable.env("DEPLOYLOCK_ETCD_PASSWORD", "secret")).code, 0);
    let mut wrong = scene.command(&run);
    let said = crate::steps::done(wrong.env("DEPLOYLOCK_ETCD_PASSWORD", "guess"));
    assert!(said.code == 1 && !said.err.contains("guess"), "{said:?}");
    table("/mine", "");
    assert_eq!(scene.run(&run).code, 1);
    table("/theirs", "user = \"locks\"\npassword_file = \"password\"");
    let said = scene.run(&run);
    assert!(said.code == 1 && said.err.contains("grant-permission"), "{said:?}");
}

/// An authority, a certificate of this host that it signed, and a stranger's authority.
fn certificates(scene: &Scene) {
    let script = "set -e
        for ca in ca stranger; do
            openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -out $ca.pem -days 2 -subj /CN=$ca \\
                -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign
        done
        openssl req -newkey rsa:2048 -nodes -keyout own.key -out own.csr -subj /CN=own
        printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' > own.ext
        openssl x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out own.pem -days 2 -extfile own.ext";
    let said = scene.shell("sh", script);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn certificates_are_shown_and_asked_for() {
    let scene = Scene::new();
    certificates(&scene);
    let cluster = crate::cluster::Cluster::secure(crate::cluster::Tls {
        ca: scene.path("ca.pem"),
        certificate: scene.path("own.pem"),
        key: scene.path("own.key"),
    });
    let table = |more: &str| {
        let text = format!("[store]\nbackend = \"etcd\"\nendpoints = {:?}\n{more}\n", cluster.endpoints());
        std::fs::write(scene.path("deploylock.toml"), text).unwrap();
    };
    let own = "cert = \"own.pem\"\nkey = \"own.key\"\n";
    table(&format!("ca = \"ca.pem\"\n{own}"));
    let held = scene.hold(&["-l", "a"]);
    let waiting = crate::tools::waiter(&scene, &["-l", "a"]);
    scene.ok(&["release", &held]);
    crate::tools::soon_held(&scene, &waiting);
    assert_eq!(scene.run(&["check"]).code, 0);
    // Whom we do not know is not talked to, and who does not know us does not talk.
    for more in [format!("ca = \"stranger.pem\"\n{own}"), "ca = \"ca.pem\"\n".to_owned()] {
        table(&more);
        let said = scene.run(&["list"]);
        assert!(said.code == 69 && said.err.contains("ertificate"), "{more}: {said:?}");
    }
    table(&format!("ca = \"none.pem\"\n{own}"));
    assert!(scene.run(&["list"]).err.contains("none.pem"));
}
