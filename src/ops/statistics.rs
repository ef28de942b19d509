//! What the history comes to: for each environment how many deployments, how they ended, how long they waited and held.
//!
//! Pure: from lines to figures.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// What of a line of the history counts here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Line {
    event: String,
    id: String,
    environment: Option<String>,
    outcome: Option<String>,
    stale: Option<String>,
    waited_ms: Option<u64>,
    held_ms: Option<u64>,
}

/// Times, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest that so many percent do not exceed (the nearest rank); `None` where there are none.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied()
    }

    /// The 50th percentile.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        self.percentile(50)
    }

    /// The 95th percentile.
    #[must_use]
    pub fn p95(&self) -> Option<Duration> {
        self.percentile(95)
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut all: Vec<Duration> = times.into_iter().collect();
        all.sort();
        Times(all)
    }
}

/// The figures of one environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Which; `None` for deployments to none.
    pub environment: Option<String>,
    /// How many deployments something happened to.
    pub deployments: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How many of them were found dead: reclaimed, or cleared as stale.
    pub stale: usize,
    /// How long each waited whose wait is over: not at all is 0.
    pub waited: Times,
    /// How long each held that no longer does.
    pub held: Times,
}

/// What is known of one deployment.
#[derive(Default)]
struct One {
    environment: Option<String>,
    failed: bool,
    stale: bool,
    waited: Option<u64>,
    held: Option<u64>,
}

impl One {
    fn add(&mut self, line: Line) {
        self.environment = line.environment.or(self.environment.take());
        self.failed |= line.event == "failed" || line.outcome.as_deref() == Some("failed");
        self.stale |= line.stale.is_some();
        // One that was paused and resumed waited more than once; one that was kept for a person held twice.
        for (sum, part) in [(&mut self.waited, line.waited_ms), (&mut self.held, line.held_ms)] {
            if let Some(part) = part {
                *sum = Some(sum.unwrap_or(0).saturating_add(part));
            }
        }
    }
}

/// The figures of every environment that these events name, by name; those without one last.
pub fn of<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<Figures> {
    let mut all: BTreeMap<String, One> = BTreeMap::new();
    for line in events.into_iter().filter_map(|event| Line::deserialize(event).ok()) {
        all.entry(line.id.clone()).or_default().add(line);
    }
    let mut groups: BTreeMap<(bool, Option<String>), Vec<One>> = BTreeMap::new();
    for one in all.into_values() {
        let key = (one.environment.is_none(), one.environment.clone());
        groups.entry(key).or_default().push(one);
    }
    groups.into_iter().map(|((_, environment), all)| figures(environment, &all)).collect()
}

fn figures(environment: Option<String>, all: &[One]) -> Figures {
    let times = |which: fn(&One) -> Option<u64>| all.iter().filter_map(which).map(Duration::from_millis);
    Figures {
        environment,
        deployments: all.len(),
        failed: all.iter().filter(|one| one.failed).count(),
        stale: all.iter().filter(|one| one.stale).count(),
        waited: times(|one| one.waited).collect(),
        held: times(|one| one.held).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn times(millis: &[u64]) -> Times {
        millis.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        let twenty: Vec<u64> = (1..=20).collect();
        for (millis, median, p95) in [
            (&[][..], None, None),
            (&[7], Some(7), Some(7)),
            (&[9, 1], Some(1), Some(9)),
            (&[3, 1, 2], Some(2), Some(3)),
            (&[4, 3, 2, 1], Some(2), Some(4)),
            (&[5, 5, 5, 1000], Some(5), Some(1000)),
            (&twenty, Some(10), Some(19)),
            (&hundred, Some(50), Some(95)),
        ] {
            let times = times(millis);
            let found = (times.median(), times.p95());
            assert_eq!(
                found,
                (median.map(Duration::from_millis), p95.map(Duration::from_millis)),
                "{millis:?}"
            );
            assert_eq!(times.count(), millis.len());
        }
        assert_eq!(times(&[1, 2]).percentile(0), Some(Duration::from_millis(1)));
        assert_eq!(times(&[1, 2]).percentile(100), Some(Duration::from_millis(2)));
    }

    /// Event, id, environment, outcome, stale, waited, held.
    type Row = (&'static str, &'static str, &'static str, &'static str, bool, Option<u64>, Option<u64>);

    fn event(row: &Row) -> Value {
        let (event, id, environment, outcome, stale, waited, held) = *row;
        let some = |text: &'static str| (!text.is_empty()).then_some(text);
        json!({
            "time": "2026-11-21T20:43:02Z", "event": event, "id": id, "environment": some(environment),
            "outcome": some(outcome), "stale": stale.then_some("its process is gone"),
            "waited_ms": waited, "held_ms": held,
        })
    }

    /// Environment, deployments, failed, stale, waited, held.
    type Expected = (&'static str, usize, usize, usize, &'static [u64], &'static [u64]);

    #[test]
    fn figures_by_environment() {
        let table: [(&str, &[Row], &[Expected]); 8] = [
            ("nothing", &[], &[]),
            (
                "one that was done",
                &[
                    ("acquired", "1", "prod", "", false, Some(0), None),
                    ("released", "1", "prod", "done", false, None, Some(50)),
                ],
                &[("prod", 1, 0, 0, &[0], &[50])],
            ),
            (
                "one that holds and one that waits have no times yet",
                &[
                    ("acquired", "1", "prod", "", false, Some(3), None),
                    ("waited", "2", "prod", "", false, None, None),
                ],
                &[("prod", 2, 0, 0, &[3], &[])],
            ),
            (
                "one that failed, was kept, and was released as failed, counts once and held both times",
                &[
                    ("acquired", "1", "prod", "", false, Some(0), None),
                    ("failed", "1", "prod", "", false, None, Some(40)),
                    ("released", "1", "prod", "failed", false, None, Some(2)),
                ],
                &[("prod", 1, 1, 0, &[0], &[42])],
            ),
            (
                "one that was paused and resumed waited both times",
                &[
                    ("paused", "1", "prod", "", false, Some(10), None),
                    ("acquired", "1", "prod", "", false, Some(5), None),
                ],
                &[("prod", 1, 0, 0, &[15], &[])],
            ),
            (
                "reclaimed, cleared as stale, cleared by hand",
                &[
                    ("reclaimed", "1", "prod", "", true, None, Some(1)),
                    ("cleared", "2", "prod", "", true, None, Some(2)),
                    ("cleared", "3", "prod", "", false, None, Some(3)),
                ],
                &[("prod", 3, 0, 2, &[], &[1, 2, 3])],
            ),
            (
                "by name, those without an environment last",
                &[
                    ("acquired", "1", "", "", false, Some(1), None),
                    ("acquired", "2", "uat", "", false, Some(2), None),
                    ("acquired", "3", "prod", "", false, Some(3), None),
                ],
                &[("prod", 1, 0, 0, &[3], &[]), ("uat", 1, 0, 0, &[2], &[]), ("", 1, 0, 0, &[1], &[])],
            ),
            (
                "what could not be read when it was cleared is known by its earlier lines",
                &[
                    ("acquired", "1", "prod", "", false, Some(0), None),
                    ("cleared", "1", "", "", false, None, None),
                ],
                &[("prod", 1, 0, 0, &[0], &[])],
            ),
        ];
        for (what, rows, expected) in table {
            let events: Vec<Value> = rows.iter().map(event).collect();
            let expected: Vec<Figures> = expected
                .iter()
                .map(|(environment, deployments, failed, stale, waited, held)| Figures {
                    environment: (!environment.is_empty()).then(|| (*environment).to_owned()),
                    deployments: *deployments,
                    failed: *failed,
                    stale: *stale,
                    waited: times(waited),
                    held: times(held),
                })
                .collect();
            assert_eq!(of(&events), expected, "{what}");
        }
    }

    #[test]
    fn lines_of_another_kind_count_for_nothing() {
        assert_eq!(of(&[json!({"event": "acquired"}), json!(3), json!({})]), []);
    }
}
