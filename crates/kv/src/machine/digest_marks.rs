//! The comparison of digests through the log.

use super::{Machine, MachineError};
use crate::outcome::Outcome;
use crate::record::head::DigestMark;

impl Machine {
    pub(super) fn mark_digest(&mut self) -> Outcome {
        let (mark, digest) = (self.head.mark.number + 1, self.head.digest());
        self.head.mark = DigestMark { number: mark, revision: self.head.revision, digest };
        Outcome::DigestMarked { mark, digest }
    }

    pub(super) fn check_digest<E>(&self, mark: u64, digest: u128) -> Result<Outcome, MachineError<E>> {
        let noted = self.head.mark;
        if mark == 0 || mark != noted.number {
            return Ok(Outcome::DigestChecked { known: false });
        }
        if digest != noted.digest {
            let DigestMark { revision, digest: found, .. } = noted;
            return Err(MachineError::Diverged { mark, revision, expected: digest, found });
        }
        Ok(Outcome::DigestChecked { known: true })
    }
}
