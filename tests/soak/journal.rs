//! The judge: reads what the holders wrote and says what must not have been.
//!
//! A holder writes after it was granted and before it gives back, each line in one piece at the journal's end. So
//! between `begin` and `end`, by their order in the file, it did hold: no clock is believed.

use std::collections::HashMap;
use std::io::BufRead;

use crate::target::{self, Policy};

/// What the journal tells.
#[derive(Default)]
pub struct Verdict {
    /// How many holds it knows of.
    pub holds: u64,
    /// The most holders at once.
    pub most: usize,
    /// What must not have been.
    pub wrong: Vec<String>,
}

#[derive(Default)]
struct Lock {
    holders: HashMap<String, Policy>,
    /// The largest token of those that have ended, and of an exclusive one among them.
    ended: u64,
    ended_exclusive: u64,
}

struct Holder {
    token: u64,
    locks: Vec<(String, Policy)>,
}

/// Reads a journal from its beginning.
pub fn judge(lines: impl BufRead) -> Verdict {
    let mut judge = Judge::default();
    for line in lines.lines() {
        let line = line.expect("a journal that can be read");
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["begin", id, token, expected, inside @ ..] => {
                judge.begin(id, crate::number(token), expected, inside.first().filter(|id| !id.is_empty()));
            }
            ["end", id] => judge.end(id),
            _ => judge.verdict.wrong.push(line),
        }
    }
    for id in judge.holding.keys() {
        judge.verdict.wrong.push(format!("{id} never said that it ended"));
    }
    judge.verdict
}

#[derive(Default)]
struct Judge {
    verdict: Verdict,
    locks: HashMap<String, Lock>,
    holding: HashMap<String, Holder>,
}

impl Judge {
    /// What the deployment that it is inside of holds counts as held, and once.
    fn begin(&mut self, id: &str, token: u64, expected: &str, inside: Option<&&str>) {
        let mut locks: Vec<(String, Policy)> =
            target::read(expected).map(|(l, p)| (l.to_owned(), p)).collect();
        if let Some(outer) = inside {
            match self.holding.get(*outer) {
                Some(outer) => locks.retain(|(lock, _)| !outer.locks.iter().any(|(l, _)| l == lock)),
                None => self.verdict.wrong.push(format!("{id} began inside {outer}, which does not hold")),
            }
        }
        for (name, policy) in &locks {
            let lock = self.locks.entry(name.clone()).or_default();
            if let Some(wrong) = lock.objection(id, token, *policy) {
                self.verdict.wrong.push(format!("{name}: {wrong}"));
            }
            lock.holders.insert(id.to_owned(), *policy);
        }
        self.verdict.holds += 1;
        if self.holding.insert(id.to_owned(), Holder { token, locks }).is_some() {
            self.verdict.wrong.push(format!("{id} began twice"));
        }
        self.verdict.most = self.verdict.most.max(self.holding.len());
    }

    fn end(&mut self, id: &str) {
        let Some(holder) = self.holding.remove(id) else {
            self.verdict.wrong.push(format!("{id} ended and never began"));
            return;
        };
        for (name, policy) in holder.locks {
            let lock = self.locks.entry(name).or_default();
            lock.holders.remove(id);
            lock.ended = lock.ended.max(holder.token);
            if policy.exclusive {
                lock.ended_exclusive = lock.ended_exclusive.max(holder.token);
            }
        }
    }
}

impl Lock {
    /// Why this one must not begin now.
    fn objection(&self, id: &str, token: u64, policy: Policy) -> Option<String> {
        let others = || self.holders.keys().cloned().collect::<Vec<_>>().join(", ");
        if !self.holders.is_empty() && (policy.exclusive || self.holders.values().any(|p| p.exclusive)) {
            return Some(format!("{id} holds beside {}, one of them exclusively", others()));
        }
        let limits = self.holders.values().map(|p| p.limit).chain([policy.limit]).filter(|l| *l > 0);
        if let Some(limit) = limits.min().filter(|limit| self.holders.len() >= *limit as usize) {
            return Some(format!("{id} holds beside {}, over the limit of {limit}", others()));
        }
        // Of those that exclude each other the later has the larger token; 0 is one that was not told.
        let earlier = if policy.exclusive { self.ended } else { self.ended_exclusive };
        (token > 0 && token < earlier).then(|| format!("{id} has token {token} after {earlier}"))
    }
}

/// A judge that finds nothing would be no use: journals that must be found wrong, and one that must not.
pub fn prove() -> Result<(), String> {
    let right = "begin 1-a 1 a=x0,b=s2\nbegin 4-d 4 a=x0 1-a\nend 4-d\nend 1-a\nbegin 6-c 6 a=s0,b=s2\nbegin 5-b 5 b=s2\nend 5-b\nend 6-c\n";
    let wrong = [
        ("two alone", "begin 1-a 1 a=x0\nbegin 2-b 2 a=x0\nend 1-a\nend 2-b\n"),
        ("shared beside exclusive", "begin 1-a 1 a=x0\nbegin 2-b 2 a=s0\nend 2-b\nend 1-a\n"),
        ("over the limit", "begin 1-a 1 a=s0\nbegin 2-b 2 a=s1\nend 2-b\nend 1-a\n"),
        ("an older token later", "begin 2-b 2 a=x0\nend 2-b\nbegin 1-a 1 a=s0\nend 1-a\n"),
        ("no end", "begin 1-a 1 a=x0\n"),
        ("inside one that does not hold", "begin 1-a 1 a=x0 2-b\nend 1-a\n"),
        (
            "inside another than who holds",
            "begin 1-a 1 a=x0 \nbegin 2-b 2 b=x0 \nbegin 3-c 3 a=x0 2-b\nend 3-c\nend 2-b\nend 1-a\n",
        ),
        ("other locks than expected", "wrong 1-a holds nothing\n"),
    ];
    let found = judge(right.as_bytes()).wrong;
    if !found.is_empty() {
        return Err(format!("the judge objects to what is right: {found:?}"));
    }
    match wrong.iter().find(|(_, journal)| judge(journal.as_bytes()).wrong.is_empty()) {
        Some((what, _)) => Err(format!("the judge does not see {what}")),
        None => Ok(()),
    }
}
