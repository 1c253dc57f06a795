//! Why a data directory is refused.

use std::io;
use std::path::{Path, PathBuf};

use quorate_consensus::{ClusterId, NodeId};

use crate::layout;

/// Why a data directory cannot be used. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another node in this one, uses the directory.
    #[error(
        "the data directory {path} is in use by another node: stop that node first, or give this one a directory of its own"
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The directory holds files, but no node.
    #[error(
        "{path} is not a data directory: it holds \"{found}\", which no node put there. Choose an empty directory, or one that does not exist yet"
    )]
    NotADataDirectory {
        /// The directory.
        path: PathBuf,
        /// A file in it that does not belong there.
        found: String,
    },
    /// The directory belongs to another member.
    #[error(
        "the data directory {path} belongs to member {found}, not to member {expected}: start this node with the directory of member {expected}, or as member {found}"
    )]
    OtherMember {
        /// The data directory.
        path: PathBuf,
        /// The member it belongs to.
        found: u64,
        /// The member that this node is.
        expected: u64,
    },
    /// The node has been removed from its cluster.
    #[error(
        "the data directory {path} belongs to node {node}, which has been removed from its cluster and does not come back: start it with --force-new and --join to have it join as a new node; the old data is set aside"
    )]
    Removed {
        /// The data directory.
        path: PathBuf,
        /// The node.
        node: NodeId,
    },
    /// The directory belongs to another cluster.
    #[error(
        "the data directory {path} belongs to cluster {found}, not to cluster {expected}: correct the addresses of the cluster, or use a new directory and add this node as a new one"
    )]
    OtherCluster {
        /// The data directory.
        path: PathBuf,
        /// The cluster it belongs to.
        found: ClusterId,
        /// The cluster that this node was to join.
        expected: ClusterId,
    },
    /// A part of the directory was taken from another node, or from this node in another life.
    #[error(
        "in the data directory {path} the part \"{part}\" belongs to node {found}, the identity says {expected}: parts of different directories were mixed. Restore all of one directory, or remove it and add this node as a new one"
    )]
    OtherIncarnation {
        /// The data directory.
        path: PathBuf,
        /// The part.
        part: String,
        /// The node that the part belongs to.
        found: NodeId,
        /// The node that the identity file names.
        expected: NodeId,
    },
    /// A newer release wrote the directory.
    #[error(
        "\"{part}\" of the data directory {path} has format {found}; this build knows formats up to {supported}: use the release that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The data directory.
        path: PathBuf,
        /// The part.
        part: String,
        /// The format found.
        found: u32,
        /// The newest format that this build knows.
        supported: u32,
    },
    /// A part of the directory is damaged.
    #[error("\"{part}\" of the data directory {path} is damaged: {reason}. {}", advice(.part))]
    Damaged {
        /// The data directory.
        path: PathBuf,
        /// The part.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A part of the directory is missing.
    #[error(
        "\"{part}\" of the data directory {path} is missing: put it back. If it is lost, remove the whole directory and add this node as a new one, which copies the data from the others"
    )]
    MissingPart {
        /// The data directory.
        path: PathBuf,
        /// The part.
        part: String,
    },
    /// The state was found to be damaged, or not to be the leader's, and must not be used.
    #[error(
        "the state in the data directory {path} must not be used: {reason}. Run `quorate repair --data-dir {path}` and start the node again, or start it with --repair automatic: it then keeps its log, its vote and its identity, and makes its state anew"
    )]
    NeedsRepair {
        /// The data directory.
        path: PathBuf,
        /// What was found.
        reason: String,
        /// Whether somebody has asked for the repair already.
        is_requested: bool,
    },
    /// The operating system refused something.
    #[error(
        "{path}: {source}: check that the path exists, may be read and written, and that its disk is not full"
    )]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// What to do about a part that is damaged.
fn advice(part: &str) -> &'static str {
    if layout::is_repairable(part) {
        return "Run `quorate repair` on the directory and start the node again, or start it with --repair automatic: \
                it then keeps its log, its vote and its identity, and makes this part anew";
    }
    "It cannot be repaired, because the node has promised what is in it to the others. Do not start it again as it \
     is: remove the whole directory and add this node as a new one, which copies the data from the others; or \
     restore all of the directory from a copy that was taken while the node was stopped"
}

impl OpenError {
    /// Whether [`crate::Repair`] can make the directory usable again.
    pub fn is_repairable(&self) -> bool {
        match self {
            OpenError::NeedsRepair { .. } => true,
            OpenError::Damaged { part, .. } => layout::is_repairable(part),
            _ => false,
        }
    }

    /// An I/O error on `path`, for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> OpenError + '_ {
        move |source| OpenError::Io { path: path.to_owned(), source }
    }

    /// What LMDB said when it opened or read `part` of the directory `path`.
    pub(crate) fn lmdb(path: &Path, part: &str, error: heed::Error) -> OpenError {
        match error {
            heed::Error::Io(source) => OpenError::Io { path: path.join(part), source },
            other => OpenError::damaged(path, part, other.to_string()),
        }
    }

    /// A part that is damaged.
    pub(crate) fn damaged(path: &Path, part: &str, reason: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: path.to_owned(), part: part.to_owned(), reason: reason.into() }
    }

    /// A part that is missing.
    pub(crate) fn missing(path: &Path, part: &str) -> OpenError {
        OpenError::MissingPart { path: path.to_owned(), part: part.to_owned() }
    }
}
