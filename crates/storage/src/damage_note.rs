//! The note in a data directory that its state must not be used.
//!
//! ```text
//! quorate damage note
//! format 1
//! snapshot 42
//! repair requested
//! reason the state differs from the leader's …
//! crc32c 89abcdef
//! ```
//!
//! It is written when damage is found, and by whoever asks for a repair; the repair removes it when the state
//! is sound again. `snapshot` says which index of the log a snapshot has to reach that the state may be made
//! from, or `own` if this node's own one will do. Text, so that a person can read it; the last line is the
//! CRC-32C of all before it.

use std::path::Path;
use std::{fs, io};

use crate::durable;
use crate::error::OpenError;
use crate::failure::{FailureCause, StorageFailure};
use crate::layout::{DAMAGE, FORMAT};

const TITLE: &str = "quorate damage note";
const OWN: &str = "own";
const REQUESTED: &str = "requested";
const NOT_REQUESTED: &str = "not-requested";

/// What is known of the damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DamageNote {
    /// The state is to be made from a snapshot of another node that reaches this index. `None`: this node's
    /// own snapshot and log are as good.
    pub(crate) foreign_snapshot: Option<u64>,
    /// Somebody has asked for the repair.
    pub(crate) is_requested: bool,
    /// What was found. One line.
    pub(crate) reason: String,
}

impl DamageNote {
    /// The note for a failure, if it is damage.
    pub(crate) fn of(failure: &StorageFailure) -> Option<Self> {
        let foreign_snapshot = match failure.cause {
            FailureCause::Damage => None,
            FailureCause::Divergence { index } => Some(index),
            FailureCause::Error | FailureCause::DiskFull => return None,
        };
        Some(Self::new(foreign_snapshot, false, &failure.to_string()))
    }

    pub(crate) fn new(foreign_snapshot: Option<u64>, is_requested: bool, reason: &str) -> Self {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { foreign_snapshot, is_requested, reason }
    }

    /// The note in a data directory, if there is one.
    pub(crate) fn read(root: &Path) -> Result<Option<Self>, OpenError> {
        let file = root.join(DAMAGE);
        match fs::read(&file) {
            Ok(content) => {
                let note = Self::parse(&content);
                note.map(Some).ok_or_else(|| OpenError::damaged(root, DAMAGE, "it cannot be understood"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::io(&file)(error)),
        }
    }

    /// Writes the note, durably.
    pub(crate) fn write(&self, root: &Path) -> io::Result<()> {
        durable::write_file(&root.join(DAMAGE), self.render().as_bytes())
    }

    /// Removes the note, durably.
    pub(crate) fn remove(root: &Path) -> io::Result<()> {
        fs::remove_file(root.join(DAMAGE))?;
        durable::sync_directory(root)
    }

    fn render(&self) -> String {
        let snapshot = self.foreign_snapshot.map_or(OWN.to_owned(), |index| index.to_string());
        let repair = if self.is_requested { REQUESTED } else { NOT_REQUESTED };
        let reason = &self.reason;
        let body =
            format!("{TITLE}\nformat {FORMAT}\nsnapshot {snapshot}\nrepair {repair}\nreason {reason}\n");
        let checksum = crc32c::crc32c(body.as_bytes());
        format!("{body}crc32c {checksum:08x}\n")
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(content).ok()?;
        let (body, last_line) = text.split_at(text.rfind("crc32c ")?);
        let checksum = last_line.strip_prefix("crc32c ")?.strip_suffix('\n')?;
        if u32::from_str_radix(checksum, 16).ok()? != crc32c::crc32c(body.as_bytes()) {
            return None;
        }
        let mut lines = body.lines();
        if lines.next() != Some(TITLE) || lines.next() != Some(&format!("format {FORMAT}")) {
            return None;
        }
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let foreign_snapshot = match field("snapshot")? {
            OWN => None,
            index => Some(index.parse().ok()?),
        };
        let is_requested = match field("repair")? {
            REQUESTED => true,
            NOT_REQUESTED => false,
            _ => return None,
        };
        Some(Self { foreign_snapshot, is_requested, reason: field("reason")?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_stays() {
        let note = DamageNote::new(Some(42), true, "a record\n is damaged");
        let golden = "quorate damage note\nformat 1\nsnapshot 42\nrepair requested\n\
            reason a record is damaged\ncrc32c d2a69a68\n";
        assert_eq!(note.render(), golden);
        assert_eq!(DamageNote::parse(golden.as_bytes()), Some(note));
        let note = DamageNote::new(None, false, "crc32c and so on");
        assert_eq!(DamageNote::parse(note.render().as_bytes()), Some(note));
    }

    #[test]
    fn every_changed_byte_and_every_prefix_is_noticed() {
        let content = DamageNote::new(None, false, "why").render().into_bytes();
        for position in 0..content.len() {
            let mut changed = content.clone();
            changed[position] ^= 1;
            assert_eq!(DamageNote::parse(&changed), None, "{position}");
            assert_eq!(DamageNote::parse(&content[..position]), None, "{position}");
        }
    }
}
