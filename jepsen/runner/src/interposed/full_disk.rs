//! Disks without room.
//!
//! Each node has a file system of its own (ext4 in a file, over a loop device), and a ballast file fills it. The file
//! systems are mounted in the runner's own namespace, below `/mnt`, so they are gone when it is.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use tempfile::NamedTempFile;

use super::interposer_layer::restart_ended;
use crate::cluster::Cluster;
use crate::cluster::launch::Launch;
use crate::cluster::layer::Layer;
use crate::error::HarnessError;
use crate::fault::FaultState;
use crate::nemesis::whom::Whom;
use crate::nemesis::{Nemesis, Sphere, Strike};

const CHOICES: [Whom; 3] = [Whom::Leader, Whom::Minority, Whom::All];
/// Where file systems are mounted.
const MOUNTS: &str = "/mnt";
/// How large they are. The files that they are in have holes, and take what is used.
const DISK_BYTES: u64 = 2 << 30;
/// A node wants 256 MiB free, or it refuses what makes data more.
const LITTLE_BYTES: u64 = 64 << 20;
/// How large one is that is only tried.
const SMALL_BYTES: u64 = 8 << 20;
const MIB: u64 = 1 << 20;

/// The file systems of the nodes.
#[derive(Debug, Default)]
struct Disks {
    /// Where each is mounted.
    mounted: Mutex<BTreeMap<u8, PathBuf>>,
}

impl Disks {
    fn of(&self, node: u8) -> Option<PathBuf> {
        self.mounted.lock().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
    }

    /// Makes a file system, mounts it, and puts the node's data on it.
    fn mount(node: u8, data: &Path, is_first: bool) -> Result<PathBuf, HarnessError> {
        if is_first {
            // So that mount points need not be made on a file system that stays.
            tool("mount", &["-t".as_ref(), "tmpfs".as_ref(), "none".as_ref(), MOUNTS.as_ref()])?;
        }
        let image = data.with_extension("image");
        let making = |path: &Path| HarnessError::system(format!("making {}", path.display()));
        let file = File::create(&image).map_err(making(&image))?;
        let mount = Path::new(MOUNTS).join(format!("disk-{node}"));
        fs::create_dir(&mount).map_err(making(&mount))?;
        mount_new(&file, &image, DISK_BYTES, &mount)?;
        // The mount holds the file; nobody else needs its name.
        fs::remove_file(&image).map_err(HarnessError::system(format!("removing {}", image.display())))?;
        let inside = mount.join("data");
        fs::create_dir(&inside).map_err(making(&inside))?;
        fs::remove_dir(data).map_err(HarnessError::system(format!("replacing {}", data.display())))?;
        std::os::unix::fs::symlink(&inside, data).map_err(making(data))?;
        Ok(mount)
    }
}

/// Makes a file system of that size in an empty file, and mounts it.
fn mount_new(file: &File, image: &Path, bytes: u64, mount: &Path) -> Result<(), HarnessError> {
    file.set_len(bytes).map_err(HarnessError::system(format!("making {}", image.display())))?;
    // No block is kept for root: nodes may run as root.
    let lazily = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";
    let words = ["-q", "-F", "-m", "0", "-E", lazily].map(Path::new);
    tool("mkfs.ext4", &[&words[..], &[image]].concat())?;
    tool("mount", &["-o".as_ref(), "loop".as_ref(), image, mount])
}

/// Mounts a small file system where those of nodes will be, and takes it away again. A container may have the tools and
/// no loop device that can be used.
fn try_mounting() -> Result<(), HarnessError> {
    let image = NamedTempFile::new().map_err(HarnessError::system("making a temporary file"))?;
    mount_new(image.as_file(), image.path(), SMALL_BYTES, MOUNTS.as_ref())?;
    tool("umount", &[MOUNTS.as_ref()])
}

fn tool(program: &str, arguments: &[&Path]) -> Result<(), HarnessError> {
    let failed = |what: String| HarnessError::Program { program: format!("{program} {arguments:?}"), what };
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

impl Layer for Disks {
    fn prepare(&self, node: u8, launch: &mut Launch) -> Result<(), HarnessError> {
        let mut mounted = self.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        if !mounted.contains_key(&node) {
            let mount = Self::mount(node, &launch.data_directory, mounted.is_empty())?;
            mounted.insert(node, mount);
        }
        Ok(())
    }
}

/// Disks get full.
#[derive(Default)]
pub struct FullDisk {
    disks: Arc<Disks>,
    full: Vec<u8>,
}

/// Leaves so much of a disk free. Gives what is free then.
fn fill(mount: &Path, left_bytes: u64) -> Result<u64, HarnessError> {
    let filling = || HarnessError::system(format!("filling {}", mount.display()));
    let free = || -> Result<u64, HarnessError> {
        let found = statvfs(mount).map_err(|error| filling()(error.into()))?;
        Ok(found.f_bavail * found.f_frsize)
    };
    let ballast = File::create(ballast(mount)).map_err(filling())?;
    let mut bytes = free()?.saturating_sub(left_bytes);
    // The file system needs some blocks to say where the others are; and nodes go on writing meanwhile.
    while bytes > 0 {
        match fallocate(&ballast, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => break,
            Err(rustix::io::Errno::NOSPC) => bytes = bytes.saturating_sub(MIB),
            Err(error) => return Err(filling()(error.into())),
        }
    }
    free()
}

fn ballast(mount: &Path) -> PathBuf {
    mount.join("ballast")
}

#[async_trait]
impl Nemesis for FullDisk {
    fn name(&self) -> &'static str {
        "full-disk"
    }

    fn spheres(&self) -> &'static [Sphere] {
        &[Sphere::Room]
    }

    fn description(&self) -> &'static str {
        "fills the file systems of nodes, down to 64 MiB or to nothing; a node that has stopped is started again"
    }

    fn obstacle(&self, isolated: bool) -> Option<String> {
        if !isolated {
            return Some("file systems can be mounted only in a namespace of one's own".into());
        }
        try_mounting()
            .err()
            .map(|error| format!("no file system can be mounted (Debian: e2fsprogs): {error}"))
    }

    fn layers(&self) -> Vec<Arc<dyn Layer>> {
        vec![self.disks.clone()]
    }

    async fn strike(&mut self, cluster: &Cluster, random: &mut ChaCha8Rng) -> Result<Strike, HarnessError> {
        let whom = CHOICES[random.random_range(0..CHOICES.len())];
        let nodes = whom.choose(cluster, random).await;
        let left_bytes = if random.random() { LITTLE_BYTES } else { 0 };
        let mut most = 0;
        for &node in &nodes {
            let mount = self.disks.of(node);
            let mount = mount.ok_or_else(|| HarnessError::Nonsense(format!("node {node} has no disk")))?;
            self.full.push(node);
            cluster.expect_end(node).await;
            most = most.max(fill(&mount, left_bytes)?);
        }
        let action = format!("disks have {} MiB left or less at {}", most / MIB, whom.describe(&nodes));
        let state = if most <= left_bytes + 2 * MIB {
            FaultState::Installed
        } else {
            FaultState::Indeterminate { why: "they could not be filled as wanted".into() }
        };
        Ok(Strike { action, nodes, state })
    }

    async fn heal(&mut self, cluster: &Cluster) -> Result<(), HarnessError> {
        let full = std::mem::take(&mut self.full);
        for mount in full.iter().filter_map(|&node| self.disks.of(node)) {
            let ballast = ballast(&mount);
            fs::remove_file(&ballast)
                .map_err(HarnessError::system(format!("removing {}", ballast.display())))?;
        }
        restart_ended(cluster, &full).await
    }
}
