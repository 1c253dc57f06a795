//! The identity file: who the node behind a data directory is.
//!
//! ```text
//! quorate data directory
//! format 1
//! member 1
//! incarnation 0123456789abcdef
//! cluster none
//! crc32c 89abcdef
//! ```
//!
//! Text, so that a person can read it. The last line is the CRC-32C of all before it.

use quorate_consensus::{ClusterId, NodeId};

use crate::layout::FORMAT;

const TITLE: &str = "quorate data directory";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Member and incarnation.
    pub(crate) node_id: NodeId,
    /// The cluster, [`ClusterId::NONE`] until it is known.
    pub(crate) cluster_id: ClusterId,
}

/// Why the file cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IdentityError {
    /// A newer format.
    Newer(u32),
    /// Not what it was when it was written.
    Damaged(String),
}

impl Identity {
    /// The content of the file.
    pub(crate) fn render(&self) -> String {
        let cluster = match self.cluster_id.is_none() {
            true => "none".to_owned(),
            false => self.cluster_id.to_string(),
        };
        let NodeId { member, incarnation } = self.node_id;
        let body = format!(
            "{TITLE}\nformat {FORMAT}\nmember {member}\nincarnation {incarnation:016x}\ncluster {cluster}\n"
        );
        let checksum = crc32c::crc32c(body.as_bytes());
        format!("{body}crc32c {checksum:08x}\n")
    }

    /// Reads the content of the file.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, IdentityError> {
        let damaged = |reason: &str| IdentityError::Damaged(reason.to_owned());
        let text = std::str::from_utf8(content).map_err(|_| damaged("it is not text"))?;
        let checksum_at = text.rfind("crc32c ").ok_or_else(|| damaged("it has no checksum"))?;
        let (body, last_line) = text.split_at(checksum_at);
        let found = last_line.strip_prefix("crc32c ").and_then(|line| line.strip_suffix('\n'));
        let checksum = found.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if checksum != Some(crc32c::crc32c(body.as_bytes())) {
            return Err(damaged("its checksum does not match its content"));
        }
        let mut lines = body.lines();
        if lines.next() != Some(TITLE) {
            return Err(damaged("it does not begin with its title"));
        }
        let mut field = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.ok_or_else(|| IdentityError::Damaged(format!("the line \"{name}\" is missing")))
        };
        // The format comes first: what follows may mean something else in a newer one.
        let format = field("format")?.parse().map_err(|_| damaged("its format is not a number"))?;
        if format > FORMAT {
            return Err(IdentityError::Newer(format));
        }
        let member = field("member")?.parse().map_err(|_| damaged("its member is not a number"))?;
        let incarnation = u64::from_str_radix(field("incarnation")?, 16)
            .map_err(|_| damaged("its incarnation is not a number"))?;
        let cluster_id = match field("cluster")? {
            "none" => ClusterId::NONE,
            digits => digits.parse().map_err(|_| damaged("its cluster is not a number"))?,
        };
        Ok(Self { node_id: NodeId::new(member, incarnation), cluster_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Identity {
        Identity { node_id: NodeId::new(7, 0x0123_4567_89ab_cdef), cluster_id: ClusterId([0xab; 16]) }
    }

    #[test]
    fn the_format_stays() {
        let golden = "quorate data directory\nformat 1\nmember 7\nincarnation 0123456789abcdef\n\
            cluster abababababababababababababababab\ncrc32c 02b98e20\n";
        assert_eq!(example().render(), golden);
        let unbound = Identity { cluster_id: ClusterId::NONE, ..example() };
        let golden = "quorate data directory\nformat 1\nmember 7\nincarnation 0123456789abcdef\n\
            cluster none\ncrc32c 7d87a8bb\n";
        assert_eq!(unbound.render(), golden);
        for identity in [example(), unbound] {
            assert_eq!(Identity::parse(identity.render().as_bytes()), Ok(identity));
        }
    }

    #[test]
    fn every_changed_byte_and_every_prefix_is_noticed() {
        let content = example().render().into_bytes();
        for position in 0..content.len() {
            let mut changed = content.clone();
            changed[position] ^= 1;
            assert!(Identity::parse(&changed).is_err(), "{position}");
            assert!(Identity::parse(&content[..position]).is_err(), "{position}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let body = format!("{TITLE}\nformat 2\nwho knows\n");
        let content = format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
        assert_eq!(Identity::parse(content.as_bytes()), Err(IdentityError::Newer(2)));
    }
}
