//! Where what lies in etcd. Text only.
//!
//! ```text
//! <prefix>/deployments/<id>           the record: state, then as the files store writes it. The truth
//! <prefix>/deployments/<id>/alive     bound to the lease that its process keeps alive
//! <prefix>/deployments/<id>/until     bound to a lease of the length of its time to live
//! <prefix>/deployments/<id>/paused    the paused record of one that is being resumed
//! <prefix>/deployments/.base          what is added to revisions: above all numbers of the store it came from
//! <prefix>/locks/<kind>/<name>        who holds it and who waits: written with each change, for people to read, and
//!                                     compared, so that two decisions on one lock never both come through
//! <prefix>/locks/<kind>/<name>/<id>   one that came to wait there, the same way: so that those who come do not disturb
//!                                     each other, nor who hands on
//! <prefix>/guard                      written by a decision on more locks than one transaction can name
//! <prefix>/history/<revision>-<nonce> what happened, and that it did
//! <prefix>/ledger/<kind>/<name>/<n>   versions
//! ```

use crate::deployment::Id;
use crate::model::LockName;
use crate::store::files::names::lock_path;

/// The keys below a prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

/// What lies below a deployment's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Record,
    Alive,
    Until,
    Paused,
}

impl Part {
    fn suffix(self) -> &'static str {
        match self {
            Part::Record => "",
            Part::Alive => "/alive",
            Part::Until => "/until",
            Part::Paused => "/paused",
        }
    }
}

/// The name of the base among the deployments.
const BASE: &str = ".base";

impl Keys {
    pub(super) fn below(prefix: &str) -> Keys {
        Keys { prefix: prefix.to_owned() }
    }

    pub(super) fn deployments(&self) -> String {
        format!("{}/deployments/", self.prefix)
    }

    pub(super) fn deployment(&self, id: &Id, part: Part) -> String {
        format!("{}/deployments/{id}{}", self.prefix, part.suffix())
    }

    pub(super) fn base(&self) -> String {
        format!("{}/deployments/{BASE}", self.prefix)
    }

    /// What a key below [`Keys::deployments`] is.
    pub(super) fn parse(below: &str) -> Option<(Id, Part)> {
        let (id, rest) = match below.find('/') {
            Some(at) => below.split_at(at),
            None => (below, ""),
        };
        let parts = [Part::Record, Part::Alive, Part::Until, Part::Paused];
        let part = parts.into_iter().find(|p| p.suffix() == rest)?;
        Some((id.parse().ok()?, part))
    }

    /// Whether a key below [`Keys::deployments`] is the base.
    pub(super) fn is_base(below: &str) -> bool {
        below == BASE
    }

    pub(super) fn locks(&self) -> String {
        format!("{}/locks/", self.prefix)
    }

    pub(super) fn lock(&self, lock: &LockName) -> String {
        format!("{}/locks/{}/{}", self.prefix, lock.kind.as_str(), lock_path(&lock.name))
    }

    /// Where those lie who came to wait at a lock.
    pub(super) fn arrivals(&self, lock: &LockName) -> String {
        format!("{}/", self.lock(lock))
    }

    pub(super) fn arrival(&self, lock: &LockName, id: &Id) -> String {
        format!("{}/{id}", self.lock(lock))
    }

    pub(super) fn guard(&self) -> String {
        format!("{}/guard", self.prefix)
    }

    pub(super) fn histories(&self) -> String {
        format!("{}/history/", self.prefix)
    }

    /// Sorts by revision.
    pub(super) fn history(&self, revision: i64, nonce: &str) -> String {
        format!("{}/history/{revision:016x}-{nonce}", self.prefix)
    }

    pub(super) fn ledgers(&self) -> String {
        format!("{}/ledger/", self.prefix)
    }

    pub(super) fn ledger(&self, lock: &LockName) -> String {
        format!("{}/ledger/{}/{}/", self.prefix, lock.kind.as_str(), lock_path(&lock.name))
    }

    /// Sorts by number.
    pub(super) fn ledger_line(&self, lock: &LockName, number: usize) -> String {
        format!("{}{number:010}", self.ledger(lock))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn keys_come_back() {
        let (keys, id) = (Keys::below("/x"), Id::new(7, 9));
        for part in [Part::Record, Part::Alive, Part::Until, Part::Paused] {
            let key = keys.deployment(&id, part);
            assert_eq!(Keys::parse(key.strip_prefix(&keys.deployments()).unwrap()), Some((id.clone(), part)));
        }
        assert!(Keys::is_base(keys.base().strip_prefix(&keys.deployments()).unwrap()));
        assert_eq!(Keys::parse(".base"), None);
        let lock = LockName::new(Kind::Name, "../a b");
        assert_eq!(keys.lock(&lock), "/x/locks/name/%2e.%2fa%20b");
    }
}
