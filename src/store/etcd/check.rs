//! A look at the cluster itself: who answers, how soon, in which version, by which clock.

use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};

use super::EtcdStore;
use super::client::Client;
use super::messages::StatusAnswer;
use super::settings::Settings;
use crate::clock;
use crate::store::Result;

/// How long a member may take to say what time it is.
const DATE: Duration = Duration::from_secs(2);

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its address.
    pub endpoint: String,
    /// What it says of itself, or why it says nothing.
    pub answer: std::result::Result<Checked, String>,
}

/// What an endpoint says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// etcd's version.
    pub version: String,
    /// Its cluster.
    pub cluster: u64,
    /// It knows a leader.
    pub has_leader: bool,
    /// Alarms, such as that there is no more space.
    pub alarms: Vec<String>,
    /// How long its answer took.
    pub latency: Duration,
    /// How far its clock is ahead of ours, in seconds; to a second.
    pub skew: Option<i64>,
}

impl EtcdStore {
    /// Asks every endpoint.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let count = self.settings.endpoints.len();
        let ask = |at: usize| {
            let client = Client::at(self.settings.clone(), at);
            let asked = client.status();
            let answer = asked.map(|(answer, latency)| {
                let date = date(&self.settings, at).ok().flatten();
                checked(answer, date.as_deref(), latency)
            });
            Member { endpoint: self.settings.endpoints[at].to_string(), answer }
        };
        (0..count).map(ask).collect()
    }

    /// Reads what is there, as a decision would: whether one may, and how long it takes.
    ///
    /// # Errors
    /// Why not.
    pub fn probe(&self) -> Result<Duration> {
        let began = clock::since_boot();
        let loaded = super::view::View::load(&self.client, &self.keys, 0, self.deadline());
        loaded.map_err(|e| self.failed(e))?;
        Ok(clock::since_boot().saturating_sub(began))
    }
}

fn checked(answer: StatusAnswer, date: Option<&str>, latency: Duration) -> Checked {
    Checked {
        version: answer.version,
        cluster: answer.header.cluster_id,
        has_leader: answer.leader != 0,
        alarms: answer.errors,
        latency,
        skew: date.and_then(http_date).map(|theirs| difference(theirs, clock::now().wall)),
    }
}

/// What time it is there: gRPC does not say it, the same port's HTTP does.
fn date(settings: &Settings, at: usize) -> io::Result<Option<String>> {
    let address = &settings.endpoints[at];
    let mut tcp = address.connect(clock::since_boot() + DATE)?;
    let request =
        format!("GET /version HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", address.authority());
    let answer = match settings.tls()?.filter(|_| address.secure) {
        Some(tls) => exchange(&mut tls.handshake(tcp, &address.host, false)?, &request)?,
        None => exchange(&mut tcp, &request)?,
    };
    let mut headers = answer.lines().filter_map(|line| line.split_once(':'));
    Ok(headers.find(|(name, _)| name.eq_ignore_ascii_case("date")).map(|(_, date)| date.trim().to_owned()))
}

fn exchange(stream: &mut (impl Read + Write), request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = [0u8; 1024];
    let read = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
}

fn difference(theirs: SystemTime, ours: SystemTime) -> i64 {
    let seconds = |t: SystemTime| t.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    seconds(theirs) - seconds(ours)
}

/// `Sun, 22 Nov 2026 02:30:39 GMT` (RFC 9110).
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_ascii_whitespace().skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = 1 + MONTHS.iter().position(|m| *m == month)?;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day:0>2}T{time}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let at = http_date("Sun, 22 Nov 2026 02:30:39 GMT").unwrap();
        assert_eq!(humantime::format_rfc3339_seconds(at).to_string(), "2026-11-22T02:30:39Z");
        assert_eq!(http_date("yesterday"), None);
    }
}
