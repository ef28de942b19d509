//! A deployment's record as a file: TOML, with what changes while it lives in a head of fixed width.
//!
//! The head is overwritten in place by one small write, so that the inode and the advisory lock on it stay.
//! Text in, text out: no I/O.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use crate::deployment::{Command, Deployment, Expiry, Id, Place, Process};
use crate::model::{Keep, LockRequest, Mode, Operation};

/// The format written, and the newest that is read.
const FORMAT: u64 = 1;
/// How wide a value of the head is.
const WIDTH: usize = 22;

/// The whole record.
#[must_use]
pub fn write(d: &Deployment) -> String {
    let mut text = head(d);
    let out = &mut text;
    line(out, "id", &quoted(d.id.as_str()));
    line(out, "owner", &quoted(&d.owner));
    line(out, "host", &quoted(&d.place.host));
    line(out, "boot", &quoted(&d.place.boot));
    line(out, "pid", &d.process.pid);
    line(out, "start", &d.process.start);
    line(out, "pid_ns", &d.place.pid_ns);
    line(out, "time_ns", &d.place.time_ns);
    if let Some(p) = &d.owner_process {
        line(out, "owner_pid", &p.pid);
        line(out, "owner_start", &p.start);
    }
    line(out, "requested", &nanos(d.requested));
    line(out, "operation", &quoted(d.operation.as_str()));
    for (key, value) in [
        ("environment", &d.environment),
        ("application", &d.application),
        ("version", &d.version),
        ("reason", &d.reason),
        ("url", &d.url),
    ] {
        if let Some(value) = value {
            line(out, key, &quoted(value));
        }
    }
    for (key, keep) in [("on_crash", d.on_crash), ("on_failure", d.on_failure)] {
        if keep == Keep::Hold {
            line(out, key, &"\"hold\"");
        }
    }
    if let Some(parent) = &d.parent {
        line(out, "parent", &quoted(parent.as_str()));
    }
    list(out, "ancestors", d.ancestors.iter().map(|id| quoted(id.as_str())));
    list(out, "containers", d.containers.iter().map(|c| quoted(c)));
    list(out, "blocked_at", d.blocked_at.iter().map(|l| quoted(&l.to_string())));
    list(out, "locks", d.locks.iter().map(lock));
    text
}

/// The head alone: always the same number of bytes.
#[must_use]
pub fn head(d: &Deployment) -> String {
    let (command, process) = match &d.command {
        Command::None => ("none", Process::default()),
        Command::Starting => ("starting", Process::default()),
        Command::Running(p) => ("running", p.clone()),
    };
    let (wall, boot) = d.expires.map_or((0, 0), |e| (nanos(e.wall), e.boot.as_nanos() as u64));
    let mut text = String::with_capacity(1024);
    let out = &mut text;
    padded(out, "format", &FORMAT);
    padded(out, "token", &d.token.unwrap_or(0));
    padded(out, "arrival", &d.arrival);
    padded(out, "since", &nanos(d.since));
    padded(out, "ttl", &d.ttl.map_or(0, |t| t.as_nanos() as u64));
    padded(out, "expires", &wall);
    padded(out, "expires_boot", &boot);
    padded(out, "command", &quoted(command));
    padded(out, "command_pid", &process.pid);
    padded(out, "command_start", &process.start);
    padded(out, "failed", &d.failed.unwrap_or(-1));
    padded(out, "cancelled", &d.cancelled);
    padded(out, "has_nested", &d.has_nested);
    text
}

fn padded(out: &mut String, key: &str, value: &dyn std::fmt::Display) {
    let value = value.to_string();
    let _ = writeln!(out, "{key} = {value:<WIDTH$}");
}

fn line(out: &mut String, key: &str, value: &dyn std::fmt::Display) {
    let _ = writeln!(out, "{key} = {value}");
}

fn list(out: &mut String, key: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if !items.is_empty() {
        let _ = writeln!(out, "{key} = [{}]", items.join(", "));
    }
}

fn lock(request: &LockRequest) -> String {
    let limit = request.limit.map_or(0, std::num::NonZeroU32::get);
    format!("[{}, {}, {limit}]", quoted(&request.lock.to_string()), quoted(request.mode.as_str()))
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

#[derive(Deserialize)]
struct Raw {
    format: u64,
    token: u64,
    arrival: u64,
    since: u64,
    ttl: u64,
    expires: u64,
    expires_boot: u64,
    command: String,
    command_pid: u32,
    command_start: u64,
    failed: i32,
    cancelled: bool,
    has_nested: bool,
    id: String,
    owner: String,
    host: String,
    boot: String,
    pid: u32,
    start: u64,
    pid_ns: u64,
    time_ns: u64,
    owner_pid: Option<u32>,
    owner_start: Option<u64>,
    requested: u64,
    operation: String,
    environment: Option<String>,
    application: Option<String>,
    version: Option<String>,
    reason: Option<String>,
    url: Option<String>,
    on_crash: Option<String>,
    on_failure: Option<String>,
    parent: Option<String>,
    #[serde(default)]
    ancestors: Vec<String>,
    #[serde(default)]
    containers: Vec<String>,
    #[serde(default)]
    blocked_at: Vec<String>,
    locks: Vec<(String, String, u32)>,
}

/// Reads a record that must be `id`'s.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn read(bytes: &[u8], id: &Id) -> Result<Deployment, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let raw: Raw = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    if raw.format > FORMAT {
        return Err(format!("a newer deploylock wrote it (format {})", raw.format));
    }
    if raw.id != id.as_str() {
        return Err(format!("it is the record of {}", raw.id));
    }
    raw.deployment()
}

impl Raw {
    fn deployment(self) -> Result<Deployment, String> {
        let command = match self.command.as_str() {
            "none" => Command::None,
            "starting" => Command::Starting,
            "running" => Command::Running(Process { pid: self.command_pid, start: self.command_start }),
            other => return Err(format!("unknown command state {other:?}")),
        };
        let operation = Operation::ALL.into_iter().find(|o| o.as_str() == self.operation);
        let expiry = Expiry { wall: time(self.expires), boot: Duration::from_nanos(self.expires_boot) };
        Ok(Deployment {
            id: id(&self.id)?,
            token: (self.token > 0).then_some(self.token),
            arrival: self.arrival,
            environment: self.environment,
            application: self.application,
            version: self.version,
            operation: operation.ok_or_else(|| format!("unknown operation {:?}", self.operation))?,
            containers: self.containers,
            locks: self.locks.iter().map(request).collect::<Result<_, _>>()?,
            owner: self.owner,
            place: Place { host: self.host, boot: self.boot, pid_ns: self.pid_ns, time_ns: self.time_ns },
            process: Process { pid: self.pid, start: self.start },
            owner_process: self.owner_pid.map(|pid| Process { pid, start: self.owner_start.unwrap_or(0) }),
            command,
            reason: self.reason,
            url: self.url,
            requested: time(self.requested),
            since: time(self.since),
            ttl: (self.ttl > 0).then(|| Duration::from_nanos(self.ttl)),
            expires: (self.expires > 0).then_some(expiry),
            parent: self.parent.as_deref().map(id).transpose()?,
            ancestors: self.ancestors.iter().map(|a| id(a)).collect::<Result<_, _>>()?,
            on_crash: keep(self.on_crash.as_deref()),
            on_failure: keep(self.on_failure.as_deref()),
            failed: (self.failed >= 0).then_some(self.failed),
            blocked_at: self
                .blocked_at
                .iter()
                .map(|l| l.parse().map_err(|e| format!("{e}")))
                .collect::<Result<_, _>>()?,
            cancelled: self.cancelled,
            has_nested: self.has_nested,
        })
    }
}

fn id(text: &str) -> Result<Id, String> {
    text.parse().map_err(|e| format!("{e}"))
}

/// Anything that is said and unknown keeps the locks: closed rather than open.
fn keep(text: Option<&str>) -> Keep {
    if text.is_some() { Keep::Hold } else { Keep::Release }
}

fn request((lock, mode, limit): &(String, String, u32)) -> Result<LockRequest, String> {
    let mode = match mode.as_str() {
        "exclusive" => Mode::Exclusive,
        "shared" => Mode::Shared,
        other => return Err(format!("unknown mode {other:?}")),
    };
    let lock = lock.parse().map_err(|e| format!("{e}"))?;
    Ok(LockRequest { lock, mode, limit: std::num::NonZeroU32::new(*limit) })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{Kind, LockName};

    pub(crate) fn example(number: u64) -> Deployment {
        let request = |kind, name: &str, mode, limit| LockRequest {
            lock: LockName::new(kind, name),
            mode,
            limit: std::num::NonZeroU32::new(limit),
        };
        Deployment {
            id: Id::new(number, 12345),
            token: Some(number),
            arrival: number,
            environment: Some("prod".into()),
            application: Some("shop".into()),
            version: Some("2.1".into()),
            operation: Operation::Update,
            containers: vec!["web-1".into()],
            locks: vec![
                request(Kind::Environment, "prod", Mode::Exclusive, 0),
                request(Kind::Container, "web-1", Mode::Shared, 2),
            ],
            owner: "ci@build-7".into(),
            place: Place { host: "build-7".into(), boot: "1234abcd".into(), pid_ns: 4, time_ns: 5 },
            process: Process { pid: 4711, start: 99 },
            owner_process: Some(Process { pid: 1, start: 2 }),
            command: Command::Running(Process { pid: 4712, start: 100 }),
            reason: Some("\u{1b}[31m \"quoted\" \\ new\nline".into()),
            url: None,
            requested: time(1_763_757_782_123_456_789),
            since: time(1_763_757_782_123_456_789),
            ttl: Some(Duration::from_secs(90)),
            expires: Some(Expiry { wall: time(1_763_757_872_000_000_000), boot: Duration::from_secs(1000) }),
            parent: Some(Id::new(1, 1)),
            ancestors: vec![Id::new(1, 1)],
            on_crash: Keep::Hold,
            on_failure: Keep::Release,
            failed: Some(3),
            blocked_at: vec![LockName::new(Kind::Environment, "prod")],
            cancelled: true,
            has_nested: true,
        }
    }

    #[test]
    fn a_record_comes_back() {
        let d = example(1042);
        assert_eq!(read(write(&d).as_bytes(), &d.id).as_ref(), Ok(&d));
    }

    #[test]
    fn the_head_keeps_its_width() {
        let mut d = example(1);
        let width = head(&d).len();
        d.token = Some(u64::MAX / 2);
        d.command = Command::None;
        d.expires = None;
        d.failed = None;
        d.cancelled = false;
        assert_eq!(head(&d).len(), width);
        assert!(width <= 512, "one sector: {width}");
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        let d = example(1);
        let text = write(&d);
        for broken in ["", "\0\0\0\0", "format = 9", &text[..text.len() / 2], &text.replace("\"prod\"", "7")]
        {
            assert!(read(broken.as_bytes(), &d.id).is_err(), "{broken:?}");
        }
        assert!(read(text.as_bytes(), &Id::new(2, 2)).is_err(), "another's record");
        let newer = text.replacen("format = 1", "format = 2", 1);
        assert!(read(newer.as_bytes(), &d.id).unwrap_err().contains("newer"));
    }
}
