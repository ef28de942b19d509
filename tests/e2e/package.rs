//! The Debian package, made of the list in `Cargo.toml` (which `cargo deb` reads) and installed in a clean root; and
//! its cron job, run there by the real cron.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Scene, binary};
use crate::steps::done;
use crate::tools::Group;

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");

fn metadata() -> (toml::Table, toml::Table) {
    let text = std::fs::read_to_string(Path::new(MANIFEST).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let package = manifest["package"].as_table().unwrap().clone();
    let deb = package["metadata"]["deb"].as_table().unwrap().clone();
    (package, deb)
}

fn strings(value: &toml::Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// The files that an asset names: itself, or those that fit `folder/*.end`. The released program is the one under test.
fn sources(name: &str) -> Vec<PathBuf> {
    if name == "target/release/deploylock" {
        return vec![binary().into()];
    }
    let path = Path::new(MANIFEST).join(name);
    let Some((folder, end)) = name.split_once('*') else {
        return vec![path];
    };
    let inside = std::fs::read_dir(Path::new(MANIFEST).join(folder)).into_iter().flatten();
    let inside = inside.map(|entry| entry.unwrap().path());
    inside.filter(|path| path.display().to_string().ends_with(end)).collect()
}

#[track_caller]
fn ok(command: &mut Command) -> String {
    let said = done(command);
    assert_eq!(said.code, 0, "{command:?}: {said:?}");
    said.out
}

/// The package as a file.
fn build(scene: &Scene) -> PathBuf {
    let (package, deb) = metadata();
    let tree = scene.path("tree");
    for asset in deb["assets"].as_array().unwrap() {
        let [source, target, mode] = &strings(asset)[..] else { panic!("{asset}") };
        for file in sources(source) {
            let mut to = tree.join(target);
            if target.ends_with('/') {
                to = to.join(file.file_name().unwrap());
            }
            ok(scene.program("install").args(["-D", "-m", mode]).args([&file, &to]));
        }
    }
    let control = tree.join("DEBIAN");
    std::fs::create_dir(&control).unwrap();
    let architecture = ok(scene.program("dpkg").arg("--print-architecture"));
    let field = |table: &toml::Table, key: &str| table[key].as_str().unwrap().to_owned();
    let text = format!(
        "Package: deploylock\nVersion: {}\nArchitecture: {architecture}Maintainer: {}\nDescription: {}\n",
        field(&package, "version"),
        field(&deb, "maintainer"),
        field(&package, "description"),
    );
    std::fs::write(control.join("control"), text).unwrap();
    std::fs::write(control.join("conffiles"), strings(&deb["conf-files"]).join("\n") + "\n").unwrap();
    let scripts = Path::new(MANIFEST).join(deb["maintainer-scripts"].as_str().unwrap());
    for script in std::fs::read_dir(scripts).unwrap() {
        ok(scene.program("install").args(["-m", "755"]).arg(script.unwrap().path()).arg(&control));
    }
    let file = scene.path("deploylock.deb");
    ok(scene.program("dpkg-deb").args(["--root-owner-group", "-Znone", "--build"]).args([&tree, &file]));
    file
}

/// A root in which nothing is installed yet.
fn clean_root(scene: &Scene) -> PathBuf {
    let root = scene.path("root");
    for folder in ["etc", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
    root
}

fn dpkg(scene: &Scene, root: &Path, args: &[&str]) -> String {
    let mut dpkg = scene.program("dpkg");
    dpkg.arg(format!("--root={}", root.display())).arg("--force-script-chrootless").args(args);
    ok(&mut dpkg)
}

/// Only root installs packages, and only on a machine that has them.
fn must_install() {
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    let dpkg = Command::new("dpkg-deb").arg("--version").output().is_ok_and(|o| o.status.success());
    assert!(root && dpkg, "installing a package needs root and dpkg");
}

#[test]
fn the_package_installs_in_a_clean_root_and_shares_its_folder_with_the_group() {
    must_install();
    let scene = Scene::new();
    let (file, root) = (build(&scene), clean_root(&scene));
    dpkg(&scene, &root, &["--install", &file.display().to_string()]);
    for installed in [
        "usr/bin/deploylock",
        "etc/deploylock/deploylock.toml",
        "etc/cron.d/deploylock",
        "usr/lib/systemd/system/deploylock-clear.timer",
        "usr/share/bash-completion/completions/deploylock",
    ] {
        assert!(root.join(installed).exists(), "{installed}");
    }
    let group = std::fs::read_to_string(root.join("etc/group")).unwrap();
    let gid =
        group.lines().find_map(|l| l.strip_prefix("deploylock:x:")?.split(':').next()).expect("the group");
    let folder = root.join("var/lib/deploylock");
    let mode = ok(scene.program("stat").args(["-c", "%a %u %g"]).arg(&folder));
    assert_eq!(mode.trim(), format!("2770 0 {gid}"));

    // What an administrator wrote stays, and what is held as well, until the purge.
    let topology = root.join("etc/deploylock/deploylock.toml");
    std::fs::write(&topology, "[environments.prod]\n").unwrap();
    let lock_dir = folder.display().to_string();
    scene.ok(&["--lock-dir", &lock_dir, "acquire", "-l", "x"]);
    dpkg(&scene, &root, &["--install", &file.display().to_string()]);
    assert_eq!(std::fs::read_to_string(&topology).unwrap(), "[environments.prod]\n");
    dpkg(&scene, &root, &["--remove", "deploylock"]);
    assert!(topology.exists() && !root.join("usr/bin/deploylock").exists());
    assert!(scene.ok(&["--lock-dir", &lock_dir, "list"]).contains("name:x"));
    dpkg(&scene, &root, &["--purge", "deploylock"]);
    assert!(!topology.exists() && !folder.exists());
}

/// The installed root over this machine's, with a cron that says what it runs and a mailer that keeps the mail. The
/// first job runs when cron starts, the second, as the package has it but each minute, a moment after it.
const CRON: &str = r#"
set -eu
mkdir -p upper
mount -t tmpfs none upper
mkdir -p upper/files upper/work upper/all
cp -a root upper/root
mount -t overlay overlay -o "lowerdir=$PWD/upper/root:/,upperdir=$PWD/upper/files,workdir=$PWD/upper/work" upper/all
cd upper/all
mount --rbind /proc proc
mount --rbind /dev dev
mount -t tmpfs none run
mount -t tmpfs none tmp
mkdir -p var/spool/cron/crontabs var/log run/lock
rm -f etc/cron.d/.placeholder
for job in etc/cron.d/*; do [ "$job" = etc/cron.d/deploylock ] || rm "$job"; done
: > etc/crontab
cat > usr/sbin/sendmail <<'S'
#!/bin/sh
cat >> /tmp/mail
S
cat > tmp/shell <<'S'
#!/bin/sh
sh "$@"
code=$?
echo "$code" >> /tmp/ran
exit "$code"
S
chmod 755 usr/sbin/sendmail tmp/shell
sed -i -e 's,^MAILTO,SHELL=/tmp/shell\nMAILTO,' -e 's,^\*/5 \* \* \* \*\(.*\),@reboot\1\n* * * * *\1,' etc/cron.d/deploylock
chroot . cron -f &
cron=$!
trap 'kill $cron' EXIT
i=0
until [ -s tmp/ran ] || [ $i -gt 300 ]; do sleep 0.1; i=$((i+1)); done
echo "idle: $(cat tmp/ran) mail: $(cat tmp/mail 2>/dev/null | wc -l)"
id=$(chroot . deploylock acquire -l late --ttl 1s --owner bob@desk)
echo "stale: $id"
i=0
until [ -s tmp/mail ] || [ $i -gt 900 ]; do sleep 0.1; i=$((i+1)); done
chroot . deploylock list --format json
cat tmp/mail
"#;

#[test]
fn the_packaged_cron_job_clears_what_is_stale_and_sends_no_mail_when_idle() {
    must_install();
    let scene = Scene::new();
    let (file, root) = (build(&scene), clean_root(&scene));
    dpkg(&scene, &root, &["--install", &file.display().to_string()]);
    // Accounts are this machine's, for cron asks the C library for them.
    for name in ["etc/passwd", "etc/group"] {
        std::fs::copy(Path::new("/").join(name), root.join(name)).unwrap();
    }
    let mut namespace = scene.program("unshare");
    namespace.args(["--mount", "--pid", "--fork", "--kill-child", "bash", "-c", CRON]);
    namespace.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    namespace.env_remove("DEPLOYLOCK_DIR");
    let began = Instant::now();
    let mut group = Group::start(namespace);
    group.let_go();
    while group.is_running() {
        assert!(began.elapsed() < Duration::from_secs(120), "cron never ran it");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let said = group.end();
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.first(), Some(&"idle: 0 mail: 0"), "{said:?}");
    let id = lines[1].strip_prefix("stale: ").unwrap();
    assert_eq!(lines[2], r#"{"locks":[],"deployments":[]}"#, "{said:?}");
    let cleared = format!("cleared {id} held: name:late by bob@desk");
    assert!(lines[3..].iter().any(|line| line.starts_with(&cleared)), "{said:?}");
}

#[test]
fn what_the_package_lists_is_in_the_repository() {
    let (_, deb) = metadata();
    for asset in deb["assets"].as_array().unwrap() {
        let source = &strings(asset)[0];
        assert!(source.contains('*') || sources(source).iter().all(|f| f.exists()), "{source}");
    }
}
