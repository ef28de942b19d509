//! Going on under the locks of a deployment that failed or crashed and was kept for a person.

use std::sync::Arc;
use std::time::Duration;

use super::Result;
use super::events::{self, Aside, What};
use crate::deployment::{Command, Deployment, Expiry, Id, State, Stored, Verdict};
use crate::process;
use crate::store::{self, Lease, Store};

/// How that ended.
#[must_use]
pub enum TakenOver {
    /// They are the caller's, as long as it keeps this.
    Done(Arc<Deployment>, Box<dyn Lease>),
    /// There is none of this id that holds, or it is verifiably dead and gives its locks to the next.
    NotThere,
    /// It holds, and did not fail or crash; why nobody may take it over.
    NotKept(Arc<Deployment>, Verdict),
    /// Its record cannot be read.
    Unreadable(String),
}

/// What is said of it anew; where nothing is said, it stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anew {
    /// Who asks from now on.
    pub owner: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The pipeline's page.
    pub url: Option<String>,
    /// How long it may hold without being renewed.
    pub ttl: Option<Duration>,
}

/// Takes over a kept deployment for a command that follows at once.
///
/// # Errors
/// When the store fails; then it is kept as before.
pub fn take_over(store: &dyn Store, id: &Id, anew: &Anew, by: &str) -> Result<TakenOver> {
    if store::look(store, |txn| txn.find(id))?.flatten().is_none() {
        return Ok(TakenOver::NotThere);
    }
    store::decide(store, |txn| {
        let Some(stored) = txn.find(id)? else {
            return Ok(TakenOver::NotThere);
        };
        let verdict = txn.verdict(&stored)?;
        let kept = match (&stored, verdict) {
            (Stored::Unreadable(u), _) => return Ok(TakenOver::Unreadable(u.path.clone())),
            (Stored::Readable(State::Waiting | State::Paused, _), _) | (_, Verdict::Dead(_)) => {
                return Ok(TakenOver::NotThere);
            }
            (Stored::Readable(_, d), Verdict::Kept(_)) => d,
            (Stored::Readable(_, d), verdict) => return Ok(TakenOver::NotKept(d.clone(), verdict)),
        };
        let now = txn.now();
        let ttl = anew.ttl.or(kept.ttl);
        let expires = ttl.map(|ttl| Expiry { wall: now.wall + ttl, boot: now.boot + ttl });
        let d = Deployment {
            token: Some(txn.next_number()?),
            place: process::here().clone(),
            process: process::myself().0.clone(),
            owner_process: None,
            command: Command::Starting,
            since: now.wall,
            owner: anew.owner.as_ref().unwrap_or(&kept.owner).clone(),
            reason: anew.reason.as_ref().or(kept.reason.as_ref()).cloned(),
            url: anew.url.as_ref().or(kept.url.as_ref()).cloned(),
            ttl,
            expires,
            failed: None,
            cancelled: false,
            kill_after: None,
            ..(**kept).clone()
        };
        let lease = txn.take_over(&d)?;
        // Kept as it was, it has held until now.
        let took = now.wall.duration_since(kept.since).ok();
        events::log(txn, What::Resumed, &d, Aside { by: Some(by), took, ..Aside::default() });
        Ok(TakenOver::Done(Arc::new(d), lease))
    })
}
