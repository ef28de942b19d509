//! Real etcd servers on loopback, started and ended by the tests: one that many tests share, each below a prefix of
//! its own; and clusters of three to be broken.

#![allow(dead_code)] // not every test binary uses all of it

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to answer.
const START: Duration = Duration::from_secs(60);

/// A process that ends with the thread that started it, and so with the tests, however they end.
struct Tied {
    child: Child,
    _thread: mpsc::Sender<()>,
}

impl Tied {
    fn start(mut command: Command) -> Tied {
        let (give, take) = mpsc::channel();
        let (thread, told) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            give.send(command.spawn()).unwrap();
            let _ = told.recv();
        });
        let child = take.recv().unwrap().expect("etcd and setpriv are installed (.ci/test installs them)");
        Tied { child, _thread: thread }
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A member of a cluster.
struct Member {
    name: String,
    client: u16,
    peer: u16,
    process: Option<Tied>,
}

/// A cluster on loopback.
pub struct Cluster {
    folder: TempDir,
    members: Vec<Member>,
    tls: Option<Tls>,
    /// As long as the tests.
    lasting: bool,
}

/// Files for a server that wants to see certificates; clients show the same one.
pub struct Tls {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// So many members, all running and agreed.
    pub fn start(count: usize) -> Cluster {
        Cluster::with(count, None, false)
    }

    /// One that asks for certificates.
    pub fn secure(tls: Tls) -> Cluster {
        Cluster::with(1, Some(tls), false)
    }

    fn with(count: usize, tls: Option<Tls>, lasting: bool) -> Cluster {
        let memory = std::path::Path::new("/dev/shm");
        let builder = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix("deploylock-etcd-");
            builder
        };
        let folder = if memory.exists() { builder().tempdir_in(memory) } else { builder().tempdir() };
        let member =
            |i| Member { name: format!("m{i}"), client: free_port(), peer: free_port(), process: None };
        let mut cluster =
            Cluster { folder: folder.unwrap(), members: (0..count).map(member).collect(), tls, lasting };
        (0..count).for_each(|i| cluster.begin(i));
        (0..count).for_each(|i| cluster.until_up(i));
        cluster
    }

    /// Where clients ask.
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|m| self.url(m)).collect()
    }

    fn url(&self, member: &Member) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", member.client)
    }

    /// Where clients ask this one.
    pub fn port(&self, i: usize) -> u16 {
        self.members[i].client
    }

    /// Starts a member, anew with its data if it ran before.
    pub fn begin(&mut self, i: usize) {
        let peers: Vec<String> =
            self.members.iter().map(|m| format!("{}=http://127.0.0.1:{}", m.name, m.peer)).collect();
        let member = &self.members[i];
        let client = self.url(member);
        let peer = format!("http://127.0.0.1:{}", member.peer);
        let log = std::fs::File::create(self.folder.path().join(format!("{}.log", member.name))).unwrap();
        let mut etcd = Command::new("setpriv");
        if self.lasting {
            // Nothing that lasts as long as the tests is dropped at their end: it tidies up after itself.
            let tidy = "d=$0; \"$@\" & trap 'kill -9 $!; wait; rm -rf \"$d\"; exit' TERM; wait";
            etcd.args(["--pdeathsig", "TERM", "sh", "-c", tidy]).arg(self.folder.path());
        } else {
            etcd.args(["--pdeathsig", "KILL"]);
        }
        etcd.args(["etcd", "--name", &member.name, "--data-dir"])
            .arg(self.folder.path().join(&member.name))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &peers.join(","), "--initial-cluster-state", "new"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(tls) = &self.tls {
            etcd.arg("--client-cert-auth").arg("--trusted-ca-file").arg(&tls.ca);
            etcd.arg("--cert-file").arg(&tls.certificate).arg("--key-file").arg(&tls.key);
        }
        self.members[i].process = Some(Tied::start(etcd));
    }

    /// Kills a member at once.
    pub fn kill(&mut self, i: usize) {
        self.members[i].process = None;
    }

    /// Stops a member or lets it go on: `STOP`, `CONT`.
    pub fn signal(&self, i: usize, name: &str) {
        let pid = self.members[i].process.as_ref().unwrap().child.id();
        assert!(
            Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success()
        );
    }

    pub fn until_up(&self, i: usize) {
        let began = Instant::now();
        while !self.healthy(i) {
            assert!(began.elapsed() < START, "etcd member {i} does not come up: {}", self.log(i));
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn log(&self, i: usize) -> String {
        let name = format!("{}.log", self.members[i].name);
        let text = std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(20).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn healthy(&self, i: usize) -> bool {
        if TcpStream::connect(("127.0.0.1", self.members[i].client)).is_err() {
            return false;
        }
        self.etcdctl_at(&[i], &["endpoint", "health"]).is_some()
    }

    /// The member that leads.
    pub fn leader(&self) -> usize {
        let found = (0..self.members.len()).find(|i| {
            let status = self.etcdctl_at(&[*i], &["endpoint", "status"]);
            status.is_some_and(|s| s.split(", ").nth(4) == Some("true"))
        });
        found.expect("a cluster has a leader")
    }

    /// What `etcdctl` prints; fails the test if it fails.
    pub fn etcdctl(&self, args: &[&str]) -> String {
        let all: Vec<usize> = (0..self.members.len()).collect();
        self.etcdctl_at(&all, args).unwrap_or_else(|| panic!("etcdctl {args:?} failed"))
    }

    fn etcdctl_at(&self, members: &[usize], args: &[&str]) -> Option<String> {
        let endpoints: Vec<String> = members.iter().map(|i| self.url(&self.members[*i])).collect();
        let mut etcdctl = Command::new("etcdctl");
        if let Some(tls) = &self.tls {
            etcdctl
                .arg("--cacert")
                .arg(&tls.ca)
                .arg("--cert")
                .arg(&tls.certificate)
                .arg("--key")
                .arg(&tls.key);
        }
        let done = etcdctl
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &endpoints.join(","), "--command-timeout", "3s"])
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("etcdctl is installed (.ci/test installs it)");
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

/// The server that tests share, and a prefix that is this test's alone.
pub fn shared() -> (&'static Cluster, String) {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    static PREFIXES: AtomicUsize = AtomicUsize::new(0);
    let number = PREFIXES.fetch_add(1, Ordering::Relaxed);
    (SHARED.get_or_init(|| Cluster::with(1, None, true)), format!("/test/{}/{number}", std::process::id()))
}
