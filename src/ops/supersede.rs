//! Latest wins: a newer deployment takes the place of older ones of the same application that still wait.

use super::Result;
use super::acquire::Draft;
use super::events::{self, Aside, What};
use super::hand_off;
use crate::deployment::{Deployment, Id, State, Stored};
use crate::model::LockName;
use crate::store::Txn;

/// Takes away what waits for the same application in the same environment and touches no container that `draft`
/// does not: `by` deploys all of that. Whether there was any.
pub(super) fn replace(txn: &mut dyn Txn, draft: &Draft, by: &Id) -> Result<bool> {
    let mut freed: Vec<LockName> = Vec::new();
    for stored in txn.all()? {
        let Stored::Readable(State::Waiting, d) = &stored else { continue };
        if covers(draft, d) && txn.remove(&d.id)?.is_some() {
            let aside = Aside { by: Some(by.as_str()), outcome: Some("superseded"), ..Aside::default() };
            events::log(txn, What::Superseded, d, aside);
            freed.extend(hand_off::names(d));
        }
    }
    hand_off::hand_off(txn, &freed)?;
    Ok(!freed.is_empty())
}

fn covers(draft: &Draft, older: &Deployment) -> bool {
    draft.application.is_some()
        && draft.application == older.application
        && draft.environment == older.environment
        && draft.resume.as_ref() != Some(&older.id)
        && older.containers.iter().all(|c| draft.containers.contains(c))
}
