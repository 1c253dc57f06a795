//! A look at an LMDB file before LMDB maps it.
//!
//! LMDB trusts its file: a cut off or overwritten one can crash the process in C code, where no error
//! can be returned. So the parts that lead LMDB through the file are read with plain reads first: both
//! meta pages, and every branch page of every tree, each checked to be what it says and to point at pages
//! that the file has. The leaf pages, some hundred times as many, are not read: what is in them carries
//! checksums of its own.
//!
//! The layout is that of LMDB 0.9, little-endian, 64-bit page numbers.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Why LMDB should not open the file.
#[derive(Debug)]
pub(crate) enum CheckError {
    /// The file could not be read.
    Io(io::Error),
    /// What was found.
    Damaged(String),
}

impl From<io::Error> for CheckError {
    fn from(error: io::Error) -> Self {
        CheckError::Io(error)
    }
}

fn damaged<T>(reason: impl Into<String>) -> Result<T, CheckError> {
    Err(CheckError::Damaged(reason.into()))
}

const MAGIC: u32 = 0xBEEF_C0DE;
const DATA_VERSION: u32 = 1;
/// What the root of an empty tree is.
const NO_PAGE: u64 = u64::MAX;
/// More levels than a tree of 2^47 bytes can have.
const DEPTH_MAX: u16 = 32;

/// Offsets in a page: the header, and what follows it in a meta page.
mod offset {
    pub const FLAGS: usize = 10;
    pub const LOWER: usize = 12;
    pub const UPPER: usize = 14;
    pub const HEADER_BYTES: usize = 16;
    pub const MAGIC: usize = 16;
    pub const VERSION: usize = 20;
    pub const FREE_TREE: usize = 40;
    pub const MAIN_TREE: usize = 88;
    pub const LAST_PAGE: usize = 136;
    pub const TRANSACTION: usize = 144;
    pub const META_BYTES: usize = 152;
}

/// Offsets in the description of a tree.
mod tree {
    pub const PAGE_BYTES: usize = 0;
    pub const DEPTH: usize = 6;
    pub const ROOT: usize = 40;
    pub const BYTES: usize = 48;
}

/// Offsets in a node of a page.
mod node {
    pub const FLAGS: usize = 4;
    pub const KEY_BYTES: usize = 6;
    pub const HEADER_BYTES: usize = 8;
}

const PAGE_BRANCH: u16 = 0x01;
const PAGE_LEAF: u16 = 0x02;
const PAGE_META: u16 = 0x08;
/// The node holds the description of a named tree.
const NODE_TREE: u16 = 0x02;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// A tree, as its description says.
#[derive(Clone, Copy, Debug)]
struct Tree {
    root: u64,
    depth: u16,
}

impl Tree {
    fn read(bytes: &[u8]) -> Self {
        Self { root: u64_at(bytes, tree::ROOT), depth: u16_at(bytes, tree::DEPTH) }
    }
}

struct Meta {
    transaction: u64,
    last_page: u64,
    free: Tree,
    main: Tree,
}

/// Checks the file at `path`.
pub(crate) fn check_file(path: &Path) -> Result<(), CheckError> {
    let file = File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let page_bytes = rustix::param::page_size();
    if file_bytes < 2 * page_bytes as u64 {
        return damaged(format!("its file has only {file_bytes} bytes"));
    }
    let mut walk =
        Walk { file, page_bytes, page_count: file_bytes / page_bytes as u64, seen: BTreeSet::new() };
    let (first, second) = (walk.meta(0)?, walk.meta(1)?);
    let newest = if first.transaction > second.transaction { first } else { second };
    walk.tree(newest.free, false)?;
    walk.tree(newest.main, true)?;
    // LMDB may leave pages at the end unwritten if they are free; never more than it knows of.
    if walk.seen.last().is_some_and(|page| *page > newest.last_page) {
        return damaged("a tree points behind the last page");
    }
    Ok(())
}

struct Walk {
    file: File,
    page_bytes: usize,
    page_count: u64,
    /// Pages that were read, so that no loop is followed.
    seen: BTreeSet<u64>,
}

impl Walk {
    fn page(&self, number: u64) -> Result<Vec<u8>, CheckError> {
        let mut page = vec![0; self.page_bytes];
        self.file.read_exact_at(&mut page, number * self.page_bytes as u64)?;
        Ok(page)
    }

    fn meta(&self, number: u64) -> Result<Meta, CheckError> {
        let page = self.page(number)?;
        let meta = &page[..offset::META_BYTES];
        if u16_at(meta, offset::FLAGS) & PAGE_META == 0 || u32_at(meta, offset::MAGIC) != MAGIC {
            return damaged(format!("page {number} is not LMDB's meta page"));
        }
        let version = u32_at(meta, offset::VERSION);
        if version != DATA_VERSION {
            return damaged(format!("its file has LMDB version {version}, this build has {DATA_VERSION}"));
        }
        let page_bytes = u32_at(meta, offset::FREE_TREE + tree::PAGE_BYTES);
        if page_bytes as usize != self.page_bytes {
            return damaged(format!(
                "its file has pages of {page_bytes} bytes, this machine has pages of {} bytes",
                self.page_bytes
            ));
        }
        Ok(Meta {
            transaction: u64_at(meta, offset::TRANSACTION),
            last_page: u64_at(meta, offset::LAST_PAGE),
            free: Tree::read(&meta[offset::FREE_TREE..]),
            main: Tree::read(&meta[offset::MAIN_TREE..]),
        })
    }

    /// Checks a tree; the main one holds the named trees in its leaves.
    fn tree(&mut self, tree: Tree, is_main: bool) -> Result<(), CheckError> {
        if tree.root == NO_PAGE {
            return Ok(());
        }
        if tree.depth == 0 || tree.depth > DEPTH_MAX {
            return damaged(format!("a tree has {} levels", tree.depth));
        }
        self.subtree(tree.root, tree.depth, is_main)
    }

    /// Checks the page `number`, with `levels` levels from it down to the leaves.
    fn subtree(&mut self, number: u64, levels: u16, is_main: bool) -> Result<(), CheckError> {
        if number < 2 || number >= self.page_count {
            return damaged(format!(
                "a tree points at page {number}; the file ends before page {}",
                self.page_count
            ));
        }
        if levels == 1 && !is_main {
            return Ok(());
        }
        if !self.seen.insert(number) {
            return damaged(format!("two places point at page {number}"));
        }
        let page = self.page(number)?;
        let expected = if levels == 1 { PAGE_LEAF } else { PAGE_BRANCH };
        let lower = usize::from(u16_at(&page, offset::LOWER));
        let upper = usize::from(u16_at(&page, offset::UPPER));
        let sound = u64_at(&page, 0) == number
            && u16_at(&page, offset::FLAGS) & (PAGE_BRANCH | PAGE_LEAF) == expected
            && (offset::HEADER_BYTES..=upper).contains(&lower)
            && upper <= self.page_bytes;
        if !sound {
            return damaged(format!("page {number} is not the page it should be"));
        }
        for pointer in (offset::HEADER_BYTES..lower).step_by(2) {
            let at = usize::from(u16_at(&page, pointer));
            if at < upper || at + node::HEADER_BYTES > self.page_bytes {
                return damaged(format!("page {number} points outside of itself"));
            }
            let bytes = &page[at..];
            if levels > 1 {
                let child = u64::from(u32_at(bytes, 0)) | u64::from(u16_at(bytes, node::FLAGS)) << 32;
                self.subtree(child, levels - 1, is_main)?;
            } else if u16_at(bytes, node::FLAGS) & NODE_TREE != 0 {
                let data = node::HEADER_BYTES + usize::from(u16_at(bytes, node::KEY_BYTES));
                let Some(description) = bytes.get(data..data + tree::BYTES) else {
                    return damaged(format!("page {number} cuts a node off"));
                };
                self.tree(Tree::read(description), false)?;
            }
        }
        Ok(())
    }
}
