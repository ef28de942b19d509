//! Two hosts, as network namespaces on this machine with a wire between them: what a cut wire does to a client is
//! silence, to what is open and to what is tried anew, which no proxy that keeps accepting shows.

use std::path::PathBuf;
use std::process::Command;

use crate::faults::timed;
use crate::harness::{Scene, eventually, said};
use crate::tools::{Group, read, until_written};

const SERVER: &str = "10.77.0.1";
const CLIENT: &str = "10.77.0.2";

/// A host of its own; it lasts as long as the process that `pid` names.
struct Host {
    process: Group,
}

/// Enters the namespaces of this process, but for `-n`, which is for the caller to say.
fn enter(scene: &Scene, pid: u32, more: &[&str]) -> Command {
    let mut enter = scene.program("nsenter");
    enter.args(["--target", &pid.to_string(), "--user", "--preserve-credentials"]).args(more);
    enter
}

impl Host {
    fn begin(scene: &Scene, name: &str, mut command: Command) -> Host {
        command.args(["sh", "-c", &format!("ip link set lo up && echo up > {name}.up && exec sleep 600")]);
        let process = Group::start(command);
        until_written(scene, &format!("{name}.up"));
        Host { process }
    }

    /// A command there.
    fn command(&self, scene: &Scene, args: &[&str]) -> Command {
        let mut command = enter(scene, self.process.pid(), &["--net"]);
        command.args(args);
        command
    }

    #[track_caller]
    fn ok(&self, scene: &Scene, script: &str) {
        let done = said(self.command(scene, &["sh", "-e", "-c", script]).output().unwrap());
        assert_eq!(done.code, 0, "{script}: {done:?}");
    }
}

/// A host with a server, one that is a client of it, the wire, and the server.
fn two_hosts(scene: &Scene) -> (Host, Host, Group) {
    let mut outer = scene.program("unshare");
    outer.args(["--user", "--map-root-user", "--net"]);
    let here = Host::begin(scene, "here", outer);
    let mut inner = enter(scene, here.process.pid(), &["unshare", "--net"]);
    inner.env("LANG", "C");
    let there = Host::begin(scene, "there", inner);
    let pid = there.process.pid();
    here.ok(scene, &format!("ip link add here type veth peer name there netns {pid}"));
    here.ok(scene, &format!("ip addr add {SERVER}/24 dev here; ip link set here up"));
    there.ok(scene, &format!("ip addr add {CLIENT}/24 dev there; ip link set there up"));
    let url = format!("http://{SERVER}:2379");
    let data: PathBuf = scene.path("etcd");
    let etcd = ["etcd", "--data-dir", data.to_str().unwrap(), "--log-level", "error"];
    let urls = ["--listen-client-urls", &url, "--advertise-client-urls", &url];
    let server = Group::start(here.command(scene, &[&etcd[..], &urls].concat()));
    eventually("the server answers", || {
        let mut health = here.command(scene, &["etcdctl", "--endpoints", &url, "endpoint", "health"]);
        health.env("ETCDCTL_API", "3").output().unwrap().status.success()
    });
    std::fs::write(scene.path("deploylock.toml"), crate::backend::table(&[url], scene.root(), 6)).unwrap();
    (here, there, server)
}

#[test]
fn a_host_whose_wire_is_cut_ends_its_command_before_another_is_granted() {
    let scene = Scene::new();
    let (here, there, _server) = two_hosts(&scene);
    let deploylock = env!("CARGO_BIN_EXE_deploylock");
    let run = [deploylock, "run", "-l", "a", "--", "sh", "-c", &timed("cut")];
    let cut = Group::start(there.command(&scene, &run));
    until_written(&scene, "cut.begin");
    let wait = [deploylock, "run", "--wait", "-l", "a", "--", "sh", "-c", &timed("next")];
    let next = Group::start(here.command(&scene, &wait));
    let list = || said(here.command(&scene, &[deploylock, "list"]).output().unwrap()).out;
    eventually("it waits", || list().contains("waiting"));
    // The other end of the wire: the client's own is up, and what it sends goes nowhere.
    here.ok(&scene, "ip link set here down");
    let said_by_cut = cut.end();
    assert_eq!(said_by_cut.code, 76, "{said_by_cut:?}");
    assert!(said_by_cut.err.contains("taken away"), "{said_by_cut:?}");
    // The server lost its address with its wire; the waiter is on the server's side and is granted by the lease's end.
    here.ok(&scene, &format!("ip link set here up; ip addr replace {SERVER}/24 dev here"));
    until_written(&scene, "next.begin");
    let time = |name: &str| read(&scene, name).parse::<u128>().unwrap();
    assert!(time("cut.end") < time("next.begin"));
    // Mended, the host that was cut off is served as before.
    let mut try_again = there.command(&scene, &[deploylock, "run", "-n", "-l", "b", "--", "true"]);
    let again = said(try_again.output().unwrap());
    assert_eq!(again.code, 0, "{again:?}");
    next.signal("TERM");
    assert_eq!(next.end().code, 0);
}
