//! What a person holds: bound to no process, so that nothing but a person ends it.

use super::Result;
use crate::deployment::{Id, State, Stored, Verdict};
use crate::engine::Block;
use crate::store::Txn;

/// The first of the holders in `blocks` that a person holds: by `acquire` without a process to end it, or kept
/// after a failure or a crash. What was acquired inside a running deployment ends with that.
pub(super) fn holder(txn: &mut dyn Txn, blocks: &[Block]) -> Result<Option<Id>> {
    for blocker in blocks.iter().flat_map(|b| &b.by).filter(|b| b.holds) {
        let Some(stored) = txn.find(&blocker.id)? else { continue };
        let by_hand = match &stored {
            Stored::Readable(State::Detached, d) if d.failed.is_none() => {
                d.owner_process.is_none() && d.parent.is_none()
            }
            _ => matches!(txn.verdict(&stored)?, Verdict::Kept(_)),
        };
        if by_hand {
            return Ok(Some(blocker.id.clone()));
        }
    }
    Ok(None)
}
