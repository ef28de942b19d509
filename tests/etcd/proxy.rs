//! A network between a client and a member of the cluster that can be cut, and that can lose answers.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How soon a pump notices what is asked of it.
const TICK: Duration = Duration::from_millis(10);
/// What of a request says that it is a transaction.
const TXN: &str = "Txn";
/// `/etcdserverpb.` as HTTP/2 sends it: in Huffman's code of RFC 7541, appendix B.
const SERVICE: &[u8] = b"\x60\xa9\x24\x88\x2d\x9d\xcb\x65\x71\xaf";
/// And what follows it, of `KV/Range` and the others; they are never sent as a number in a table.
const CALLS: [(&str, &[u8]); 8] = [
    ("Range", b"\x9b\x8b\x1b\x47\x54\xc5"),
    ("Txn", b"\x9b\x8b\x1b\xfc\xd5"),
    ("Watch", b"\xc8\x69\x24\xec\x72\x1a\x49\x3f"),
    ("LeaseGrant", b"\x9c\xa3\x41\x58\xce\x51\xa0\xb8\xac\x1d\x49"),
    ("LeaseKeepAlive", b"\x9c\xa3\x41\x58\xce\x51\xa0\xb9\x8a\x5a\xe1\xa0\xdd\xcb"),
    ("LeaseRevoke", b"\x9c\xa3\x41\x58\xce\x51\xa0\xbb\x4b\xdc\xfd\x4b"),
    ("Put", b"\x9b\x8b\x1a\xed\x4f"),
    ("DeleteRange", b"\x9b\x8b\x17\xcb\x41\x52\x5d\xa3\xaa\x62\xff"),
];

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// Nothing is forwarded; connections stay open.
    cut: AtomicBool,
    /// How many answers to transactions are still to be lost.
    lose: AtomicU64,
    lost: AtomicU64,
    generation: AtomicU64,
    /// Requests that came through, by what they ask for.
    asked: Mutex<BTreeMap<String, u64>>,
}

/// Such a network.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    pub fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let all = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if all.over.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else {
                    continue;
                };
                pump_both(client, server, &all);
            }
        });
        Proxy { port: own, shared }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on nothing comes through.
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
    }

    /// The connections of before stay cut for ever.
    pub fn renew(&self) {
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.shared.cut.store(false, Ordering::SeqCst);
    }

    /// The answers to the next so many transactions are lost; the transactions are carried out.
    pub fn lose(&self, count: u64) {
        self.shared.lose.store(count, Ordering::SeqCst);
    }

    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::SeqCst)
    }

    /// What was asked for since the last time this was asked: `2 Range`, `1 Txn`, ….
    pub fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.shared.asked.lock().unwrap());
        asked.iter().map(|(what, count)| format!("{count} {what}")).collect()
    }

    /// Reads and transactions since the last time it was asked.
    pub fn trips(&self) -> (u64, u64) {
        let asked = std::mem::take(&mut *self.shared.asked.lock().unwrap());
        let count = |what: &str| asked.get(what).copied().unwrap_or_default();
        (count("Range"), count(TXN))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pump_both(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) {
    let swallow = Arc::new(AtomicBool::new(false));
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (all, mark) = (shared.clone(), swallow.clone());
    std::thread::spawn(move || pump(from, to, &all, &|bytes| note(bytes, &all, &mark)));
    let all = shared.clone();
    std::thread::spawn(move || pump(server, client, &all, &|_| !swallow.load(Ordering::SeqCst)));
}

/// Counts a request; one whose answer is to be lost is forwarded all the same.
fn note(bytes: &[u8], shared: &Shared, swallow: &AtomicBool) -> bool {
    for call in requests(bytes) {
        *shared.asked.lock().unwrap().entry(call.to_owned()).or_default() += 1;
        let lose = || shared.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if call == TXN && lose().is_ok() {
            shared.lost.fetch_add(1, Ordering::SeqCst);
            swallow.store(true, Ordering::SeqCst);
        }
    }
    true
}

/// What the requests that begin here ask for.
fn requests(bytes: &[u8]) -> Vec<&'static str> {
    let begins = (0..bytes.len()).filter_map(|at| bytes[at..].strip_prefix(SERVICE));
    begins
        .filter_map(|rest| CALLS.iter().find(|(_, call)| rest.starts_with(call)))
        .map(|(call, _)| *call)
        .collect()
}

fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Shared, let_through: &dyn Fn(&[u8]) -> bool) {
    from.set_read_timeout(Some(TICK)).unwrap();
    let mut bytes = [0u8; 64 << 10];
    let born = shared.generation.load(Ordering::SeqCst);
    while !shared.over.load(Ordering::SeqCst) {
        if shared.cut.load(Ordering::SeqCst) || shared.generation.load(Ordering::SeqCst) != born {
            std::thread::park_timeout(TICK);
            continue;
        }
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => {
                if let_through(&bytes[..n]) && to.write_all(&bytes[..n]).is_err() {
                    break;
                }
            }
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}
