//! A deployment's record as a file: TOML, with what changes while it lives in a head of fixed width.
//!
//! The head is overwritten in place by one small write, so that the inode and the advisory lock on it stay.
//! Text in, text out: no I/O.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::deployment::{Command, Deployment, Expiry, Id, Place, Process};
use crate::model::{Keep, LockName, LockRequest, Mode, Operation};

/// The format written, and the newest that is read.
const FORMAT: u64 = 1;
/// How wide a value of the head is.
const WIDTH: usize = 22;
/// The keys of the head, in the order of its lines.
const KEYS: [&str; 14] = [
    "format",
    "token",
    "arrival",
    "since",
    "ttl",
    "expires",
    "expires_boot",
    "command",
    "command_pid",
    "command_start",
    "failed",
    "cancelled",
    "kill_after",
    "has_nested",
];
/// What fills it up, and ends the line.
const PADDING: &str = "                      \n";

/// The whole record.
#[must_use]
pub fn write(d: &Deployment) -> String {
    write_seen(d, d.place.device)
}

/// The whole record, of one that is seen through this device.
#[must_use]
pub fn write_seen(d: &Deployment, device: u64) -> String {
    let mut text = head(d);
    // An environment of a thousand containers is as many locks: their lines are the longest.
    text.reserve(512 + 64 * (d.locks.len() + d.containers.len()));
    let out = &mut text;
    text_line(out, "id", d.id.as_str());
    text_line(out, "owner", &d.owner);
    text_line(out, "host", &d.place.host);
    text_line(out, "boot", &d.place.boot);
    line(out, "pid", d.process.pid);
    line(out, "start", d.process.start);
    line(out, "pid_ns", d.place.pid_ns);
    line(out, "time_ns", d.place.time_ns);
    if device != 0 {
        line(out, "device", device);
    }
    if let Some(p) = &d.owner_process {
        line(out, "owner_pid", p.pid);
        line(out, "owner_start", p.start);
    }
    line(out, "requested", nanos(d.requested));
    text_line(out, "operation", d.operation.as_str());
    for (key, value) in [
        ("environment", &d.environment),
        ("application", &d.application),
        ("version", &d.version),
        ("reason", &d.reason),
        ("url", &d.url),
    ] {
        if let Some(value) = value {
            text_line(out, key, value);
        }
    }
    for (key, keep) in [("on_crash", d.on_crash), ("on_failure", d.on_failure)] {
        if keep == Keep::Hold {
            text_line(out, key, "hold");
        }
    }
    if let Some(parent) = &d.parent {
        text_line(out, "parent", parent.as_str());
    }
    list(out, "ancestors", &d.ancestors, |out, id| quote(out, &[id.as_str()]));
    list(out, "containers", &d.containers, |out, name| quote(out, &[name]));
    list(out, "blocked_at", &d.blocked_at, lock_name);
    list(out, "locks", &d.locks, lock);
    text
}

/// The head alone: always the same number of bytes.
#[must_use]
pub fn head(d: &Deployment) -> String {
    let head = Head::of(d);
    let mut text = String::with_capacity(1024);
    let out = &mut text;
    let mut digits = itoa::Buffer::new();
    let yes_or_no = |value| if value { "true" } else { "false" };
    padded(out, "format = ", digits.format(head.format));
    padded(out, "token = ", digits.format(head.token));
    padded(out, "arrival = ", digits.format(head.arrival));
    padded(out, "since = ", digits.format(head.since));
    padded(out, "ttl = ", digits.format(head.ttl));
    padded(out, "expires = ", digits.format(head.expires));
    padded(out, "expires_boot = ", digits.format(head.expires_boot));
    out.push_str("command = ");
    quote(out, &[&head.command]);
    fill_up(out, head.command.len() + "\"\"".len());
    padded(out, "command_pid = ", digits.format(head.command_pid));
    padded(out, "command_start = ", digits.format(head.command_start));
    padded(out, "failed = ", digits.format(head.failed));
    padded(out, "cancelled = ", yes_or_no(head.cancelled));
    padded(out, "kill_after = ", digits.format(head.kill_after));
    padded(out, "has_nested = ", yes_or_no(head.has_nested));
    text
}

fn padded(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    out.push_str(value);
    fill_up(out, value.len());
}

/// Ends a line of the head of which so much has been written after the key.
fn fill_up(out: &mut String, written: usize) {
    out.push_str(&PADDING[written.min(WIDTH)..]);
}

fn line(out: &mut String, key: &str, value: impl itoa::Integer) {
    equals(out, key);
    out.push_str(itoa::Buffer::new().format(value));
    out.push('\n');
}

/// By single bytes: the C library takes 20 ns to copy a text, however short.
fn equals(out: &mut String, key: &str) {
    out.push_str(key);
    [' ', '=', ' '].into_iter().for_each(|c| out.push(c));
}

fn text_line(out: &mut String, key: &str, value: &str) {
    equals(out, key);
    quote(out, &[value]);
    out.push('\n');
}

fn list<T>(out: &mut String, key: &str, items: &[T], item: impl Fn(&mut String, &T)) {
    let Some((first, rest)) = items.split_first() else {
        return;
    };
    equals(out, key);
    out.push('[');
    item(out, first);
    for other in rest {
        out.push_str(", ");
        item(out, other);
    }
    out.push_str("]\n");
}

fn lock_name(out: &mut String, lock: &LockName) {
    quote(out, &[lock.kind.as_str(), ":", &lock.name]);
}

fn lock(out: &mut String, request: &LockRequest) {
    out.push('[');
    lock_name(out, &request.lock);
    out.push_str(", ");
    quote(out, &[request.mode.as_str()]);
    let limit = request.limit.map_or(0, std::num::NonZeroU32::get);
    let _ = write!(out, ", {limit}]");
}

/// A TOML basic string of these pieces.
fn quote(out: &mut String, pieces: &[&str]) {
    let plain = |b: u8| (b' '..=b'~').contains(&b) && !matches!(b, b'"' | b'\\');
    out.push('"');
    for piece in pieces {
        if piece.bytes().all(plain) {
            out.push_str(piece);
            continue;
        }
        for c in piece.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    let _ = write!(out, "\\u{:04x}", c as u32);
                }
                c => out.push(c),
            }
        }
    }
    out.push('"');
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// What [`head()`] writes.
#[derive(Default)]
struct Head {
    format: u64,
    token: u64,
    arrival: u64,
    since: u64,
    ttl: u64,
    expires: u64,
    expires_boot: u64,
    command: Cow<'static, str>,
    command_pid: u32,
    command_start: u64,
    failed: i32,
    cancelled: bool,
    kill_after: u64,
    has_nested: bool,
}

#[derive(Default)]
struct Raw {
    head: Head,
    id: String,
    owner: String,
    host: String,
    boot: String,
    pid: u32,
    start: u64,
    pid_ns: u64,
    time_ns: u64,
    device: u64,
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
    ancestors: Vec<String>,
    containers: Vec<String>,
    blocked_at: Vec<String>,
    locks: Vec<(String, String, u32)>,
}

/// What a record must say to be one. Everything else may be missing.
const NEEDED: [&str; 5] = ["format", "id", "owner", "arrival", "locks"];

impl Raw {
    /// Reads what [`write()`] writes: lines of `key = value`. Unknown keys are a newer version's and are passed over.
    fn parse(text: &str) -> Result<Raw, String> {
        let mut raw = Raw::default();
        let mut seen = [false; NEEDED.len()];
        if !text.ends_with('\n') {
            return Err("it is cut off".to_owned());
        }
        let mut rest = text;
        let mut number = 0;
        while let Some(end) = first(rest, |b| b == b'\n') {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            number += 1;
            let wrong = || format!("line {number} makes no sense");
            let (key, value) = key_and_value(line).ok_or_else(wrong)?;
            if let Some(i) = NEEDED.iter().position(|needed| *needed == key) {
                seen[i] = true;
            }
            raw.set(key, &mut Scan { rest: value }).ok_or_else(wrong)?;
        }
        match seen.iter().position(|seen| !seen) {
            Some(i) => Err(format!("it does not say its {}", NEEDED[i])),
            None => Ok(raw),
        }
    }

    fn set(&mut self, key: &str, value: &mut Scan<'_>) -> Option<()> {
        match key {
            "id" => self.id = value.text()?,
            "owner" => self.owner = value.text()?,
            "host" => self.host = value.text()?,
            "boot" => self.boot = value.text()?,
            "pid" => self.pid = value.number()?,
            "start" => self.start = value.number()?,
            "pid_ns" => self.pid_ns = value.number()?,
            "time_ns" => self.time_ns = value.number()?,
            "device" => self.device = value.number()?,
            "owner_pid" => self.owner_pid = Some(value.number()?),
            "owner_start" => self.owner_start = Some(value.number()?),
            "requested" => self.requested = value.number()?,
            "operation" => self.operation = value.text()?,
            "environment" => self.environment = Some(value.text()?),
            "application" => self.application = Some(value.text()?),
            "version" => self.version = Some(value.text()?),
            "reason" => self.reason = Some(value.text()?),
            "url" => self.url = Some(value.text()?),
            "on_crash" => self.on_crash = Some(value.text()?),
            "on_failure" => self.on_failure = Some(value.text()?),
            "parent" => self.parent = Some(value.text()?),
            "ancestors" => self.ancestors = value.list(Scan::text)?,
            "containers" => self.containers = value.list(Scan::text)?,
            "blocked_at" => self.blocked_at = value.list(Scan::text)?,
            "locks" => self.locks = value.list(Scan::lock)?,
            _ => return self.head.set(key, value),
        }
        value.rest.is_empty().then_some(())
    }
}

impl Head {
    fn of(d: &Deployment) -> Self {
        let (command, process) = match &d.command {
            Command::None => ("none", Process::default()),
            Command::Starting => ("starting", Process::default()),
            Command::Running(p) => ("running", p.clone()),
        };
        let (wall, boot) = d.expires.map_or((0, 0), |e| (nanos(e.wall), e.boot.as_nanos() as u64));
        Head {
            format: FORMAT,
            token: d.token.unwrap_or(0),
            arrival: d.arrival,
            since: nanos(d.since),
            ttl: d.ttl.map_or(0, |t| t.as_nanos() as u64),
            expires: wall,
            expires_boot: boot,
            command: command.into(),
            command_pid: process.pid,
            command_start: process.start,
            failed: d.failed.unwrap_or(-1),
            cancelled: d.cancelled,
            kill_after: d.kill_after.map_or(0, |t| t.as_nanos() as u64),
            has_nested: d.has_nested,
        }
    }

    fn set(&mut self, key: &str, value: &mut Scan<'_>) -> Option<()> {
        match key {
            "format" => self.format = value.number()?,
            "token" => self.token = value.number()?,
            "arrival" => self.arrival = value.number()?,
            "since" => self.since = value.number()?,
            "ttl" => self.ttl = value.number()?,
            "expires" => self.expires = value.number()?,
            "expires_boot" => self.expires_boot = value.number()?,
            "command" => self.command = value.text()?.into(),
            "command_pid" => self.command_pid = value.number()?,
            "command_start" => self.command_start = value.number()?,
            "failed" => self.failed = value.number()?,
            "cancelled" => self.cancelled = value.number()?,
            "kill_after" => self.kill_after = value.number()?,
            "has_nested" => self.has_nested = value.number()?,
            _ => return Some(()),
        }
        value.rest.is_empty().then_some(())
    }

    /// The same deployment, with what this says.
    fn put_into(self, d: &mut Deployment) -> Result<(), String> {
        d.command = match &*self.command {
            "none" => Command::None,
            "starting" => Command::Starting,
            "running" => Command::Running(Process { pid: self.command_pid, start: self.command_start }),
            other => return Err(format!("unknown command state {other:?}")),
        };
        let expiry = Expiry { wall: time(self.expires), boot: Duration::from_nanos(self.expires_boot) };
        d.token = (self.token > 0).then_some(self.token);
        d.arrival = self.arrival;
        d.since = time(self.since);
        d.ttl = (self.ttl > 0).then(|| Duration::from_nanos(self.ttl));
        d.expires = (self.expires > 0).then_some(expiry);
        d.failed = (self.failed >= 0).then_some(self.failed);
        d.cancelled = self.cancelled;
        d.kill_after = (self.kill_after > 0).then(|| Duration::from_nanos(self.kill_after));
        d.has_nested = self.has_nested;
        Ok(())
    }
}

/// Where the first byte is that `wanted` means. By bytes: a list of 10,000 is as many records.
fn first(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    text.as_bytes().iter().position(|b| wanted(*b))
}

/// `key = value`, without what fills the line up.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = line.split_at(first(line, |b| b == b' ')?);
    let value = rest.strip_prefix(" = ")?;
    let length = value.as_bytes().iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
    Some((key, value.get(..length)?))
}

/// A value of a record, read from its beginning.
struct Scan<'a> {
    rest: &'a str,
}

impl Scan<'_> {
    /// A number, or `true` or `false`: whatever ends at a comma, a bracket or the end.
    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        let end = first(self.rest, |b| matches!(b, b',' | b']')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.parse().ok()
    }

    /// A TOML basic string, with the escapes that [`quote`] writes.
    fn text(&mut self) -> Option<String> {
        self.skip("\"")?;
        let mut text = String::new();
        loop {
            let plain = first(self.rest, |b| matches!(b, b'"' | b'\\'))?;
            text.push_str(&self.rest[..plain]);
            self.rest = &self.rest[plain..];
            if self.skip("\"").is_some() {
                return Some(text);
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        self.skip("\\")?;
        for (written, meant) in [("\"", '"'), ("\\", '\\')] {
            if self.skip(written).is_some() {
                return Some(meant);
            }
        }
        self.skip("u")?;
        let code = u32::from_str_radix(self.rest.get(..4)?, 16).ok()?;
        self.rest = &self.rest[4..];
        char::from_u32(code)
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        self.skip("[")?;
        while self.skip("]").is_none() {
            if !items.is_empty() {
                self.skip(", ")?;
            }
            items.push(item(self)?);
        }
        Some(items)
    }

    fn lock(&mut self) -> Option<(String, String, u32)> {
        self.skip("[")?;
        let lock = self.text()?;
        self.skip(", ")?;
        let mode = self.text()?;
        self.skip(", ")?;
        let limit = self.number()?;
        self.skip("]")?;
        Some((lock, mode, limit))
    }

    fn skip(&mut self, what: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }
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
    let raw = Raw::parse(text)?;
    if raw.head.format > FORMAT {
        return Err(format!("a newer deploylock wrote it (format {})", raw.head.format));
    }
    if raw.id != id.as_str() {
        return Err(format!("it is the record of {}", raw.id));
    }
    raw.deployment()
}

/// Whether these are the same bytes. The C library that the released program is linked against compares them one by one.
pub(super) fn are_same(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (others, other_rest)) = (one.as_chunks::<16>(), other.as_chunks::<16>());
    let mut pairs = words.iter().zip(others);
    one.len() == other.len() && pairs.all(|(word, other)| word == other) && rest == other_rest
}

/// Reads a record of which is known what it said `before`, and how that was written. `None` where more has changed than
/// a head in which some lines say something else: then it is to be read as a whole.
pub fn read_again(bytes: &[u8], (old, before): (&[u8], &Deployment)) -> Option<Deployment> {
    let mut head = Head::of(before);
    let mut at = 0;
    for key in KEYS {
        let line = at..at + key.len() + " = ".len() + WIDTH + "\n".len();
        at = line.end;
        let new = bytes.get(line.clone())?;
        if new != old.get(line)? {
            let new = std::str::from_utf8(new).ok()?.strip_suffix('\n')?;
            let (_, value) = key_and_value(new).filter(|(found, _)| *found == key)?;
            head.set(key, &mut Scan { rest: value })?;
        }
    }
    if head.format != FORMAT || !are_same(bytes.get(at..)?, old.get(at..)?) {
        return None;
    }
    let mut d = before.clone();
    head.put_into(&mut d).ok()?;
    Some(d)
}

impl Raw {
    fn deployment(self) -> Result<Deployment, String> {
        let operation = Operation::ALL.into_iter().find(|o| o.as_str() == self.operation);
        let mut d = Deployment {
            id: id(&self.id)?,
            token: None,
            arrival: 0,
            environment: self.environment,
            application: self.application,
            version: self.version,
            operation: operation.ok_or_else(|| format!("unknown operation {:?}", self.operation))?,
            containers: self.containers,
            locks: self.locks.iter().map(request).collect::<Result<_, _>>()?,
            owner: self.owner,
            place: Place {
                host: self.host,
                boot: self.boot,
                pid_ns: self.pid_ns,
                time_ns: self.time_ns,
                device: self.device,
            },
            process: Process { pid: self.pid, start: self.start },
            owner_process: self.owner_pid.map(|pid| Process { pid, start: self.owner_start.unwrap_or(0) }),
            command: Command::None,
            reason: self.reason,
            url: self.url,
            requested: time(self.requested),
            since: UNIX_EPOCH,
            ttl: None,
            expires: None,
            parent: self.parent.as_deref().map(id).transpose()?,
            ancestors: self.ancestors.iter().map(|a| id(a)).collect::<Result<_, _>>()?,
            on_crash: keep(self.on_crash.as_deref()),
            on_failure: keep(self.on_failure.as_deref()),
            failed: None,
            blocked_at: self
                .blocked_at
                .iter()
                .map(|l| l.parse().map_err(|e| format!("{e}")))
                .collect::<Result<_, _>>()?,
            cancelled: false,
            kill_after: None,
            has_nested: false,
        };
        self.head.put_into(&mut d)?;
        Ok(d)
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
            place: Place {
                host: "build-7".into(),
                boot: "1234abcd".into(),
                pid_ns: 4,
                time_ns: 5,
                device: 6,
            },
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
            kill_after: Some(Duration::from_secs(5)),
            has_nested: true,
        }
    }

    #[test]
    fn a_record_comes_back() {
        let d = example(1042);
        assert_eq!(read(write(&d).as_bytes(), &d.id).as_ref(), Ok(&d));
    }

    #[test]
    fn a_record_is_read_again_where_its_head_alone_has_changed() {
        let before = example(1042);
        let text = write(&before);
        let again = |now: &Deployment| read_again(write(now).as_bytes(), (text.as_bytes(), &before));
        let granted = Deployment {
            token: Some(9),
            since: time(5),
            ttl: None,
            expires: None,
            command: Command::Starting,
            failed: None,
            cancelled: false,
            kill_after: None,
            has_nested: false,
            arrival: 7,
            ..before.clone()
        };
        assert_eq!(again(&before).as_ref(), Some(&before));
        assert_eq!(again(&granted).as_ref(), Some(&granted));
        assert_eq!(again(&Deployment { reason: None, ..before.clone() }), None);
        assert_eq!(again(&Deployment { owner: "ci@build-8".into(), ..before.clone() }), None);
        let newer = text.replacen("format = 1", "format = 2", 1);
        assert_eq!(read_again(newer.as_bytes(), (text.as_bytes(), &before)), None);
    }

    #[test]
    fn a_record_is_toml() {
        let table: toml::Table = toml::from_str(&write(&example(7))).unwrap();
        assert_eq!(table["reason"].as_str(), example(7).reason.as_deref());
        assert_eq!(table["locks"][1][0].as_str(), Some("container:web-1"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_back(text in "\\PC*|[\\x00-\\x7f]*|.*") {
            let d = Deployment { reason: Some(text.clone()), containers: vec![text], ..example(7) };
            proptest::prop_assert_eq!(read(write(&d).as_bytes(), &d.id), Ok(d));
        }

        #[test]
        fn a_record_cut_or_changed_anywhere_is_read_without_panic(at in 0usize..900, byte in 0u8..) {
            let d = example(7);
            let mut bytes = write(&d).into_bytes();
            let at = at % bytes.len();
            proptest::prop_assert!(read(&bytes[..at], &d.id).is_err());
            bytes[at] = byte;
            let whole = read(&bytes, &d.id);
            if let Some(again) = read_again(&bytes, (write(&d).as_bytes(), &d)) {
                proptest::prop_assert_eq!(whole, Ok(again));
            }
        }
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
        let head = head(&d);
        let keys: Vec<&str> = head.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(keys, KEYS);
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
