//! Nodes that are started with the interposer.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

use quorate_faults::control::{Control, ControlPage};
use quorate_faults::{DATA_VARIABLE, FOLDER_VARIABLE, control_path, journal_path, kept_folder};
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::cluster::launch::Launch;
use crate::cluster::layer::Layer;
use crate::error::HarnessError;
use crate::fault::FaultState;

const PRELOAD: &str = "LD_PRELOAD";
/// How often it is looked whether a fault has had an effect.
const POLL: Duration = Duration::from_millis(10);

/// What the interposer of one node works with.
#[derive(Debug)]
pub struct Interposed {
    /// The folder of its journal.
    pub folder: PathBuf,
    /// The node's data, by the path that the interposer knows.
    pub data: PathBuf,
    control: ControlPage,
}

impl Interposed {
    /// The page by which the interposer is told what goes wrong.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Whether the node's process has told that it opens files through the interposer.
    pub fn is_seen(&self) -> bool {
        self.control.process.load(Ordering::Relaxed) != 0
    }
}

/// The interposer under all nodes.
#[derive(Debug)]
pub struct InterposerLayer {
    library: Option<PathBuf>,
    nodes: Mutex<BTreeMap<u8, Arc<Interposed>>>,
}

impl InterposerLayer {
    /// With the library that is there; without one its nemeses cannot strike.
    pub fn new(library: Option<PathBuf>) -> Self {
        Self { library, nodes: Mutex::default() }
    }

    /// What the interposer of a node works with, once it was started.
    ///
    /// # Errors
    ///
    /// It was never started.
    pub fn of(&self, node: u8) -> Result<Arc<Interposed>, HarnessError> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let found = nodes.get(&node).cloned();
        found.ok_or_else(|| HarnessError::Nonsense(format!("node {node} was never started")))
    }

    /// Waits until a counter of one of these nodes has grown, which shows that a fault is there.
    ///
    /// # Errors
    ///
    /// One was never started.
    pub async fn await_effect(
        &self,
        nodes: &[u8],
        count: impl Fn(&Control) -> u64,
        begin: impl Fn(&Control),
        limit: Duration,
    ) -> Result<FaultState, HarnessError> {
        let interposed = nodes.iter().map(|&node| self.of(node)).collect::<Result<Vec<_>, _>>()?;
        let total = || interposed.iter().map(|node| count(node.control())).sum::<u64>();
        let before = total();
        interposed.iter().for_each(|node| begin(node.control()));
        let deadline = Instant::now() + limit;
        while total() == before {
            if Instant::now() > deadline {
                let why = format!("no node met it within {} ms", limit.as_millis());
                return Ok(FaultState::Indeterminate { why });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(FaultState::Installed)
    }
}

impl Layer for InterposerLayer {
    fn obstacle(&self) -> Option<String> {
        match &self.library {
            None => Some("the interposer is not built: cargo build -p quorate-interposer".into()),
            Some(library) if !library.is_file() => Some(format!("{} is no file", library.display())),
            Some(_) => None,
        }
    }

    fn prepare(&self, node: u8, launch: &mut Launch) -> Result<(), HarnessError> {
        let Some(library) = &self.library else { return Ok(()) };
        let resolve = |path: &Path| {
            path.canonicalize().map_err(HarnessError::system(format!("looking for {}", path.display())))
        };
        let folder = beside(&launch.data_directory, ".interposer");
        fs::create_dir_all(&folder).map_err(HarnessError::system(format!("making {}", folder.display())))?;
        // The interposer compares paths, and the kernel knows no links.
        let (folder, data, library) =
            (resolve(&folder)?, resolve(&launch.data_directory)?, resolve(library)?);
        forget_if_empty(&folder, &data)
            .map_err(HarnessError::system(format!("cleaning {}", folder.display())))?;
        for argument in launch.arguments.iter_mut().filter(|argument| **argument == launch.data_directory) {
            *argument = data.clone().into();
        }
        let mut preload = launch.environment.get(PRELOAD).cloned().unwrap_or_default();
        if preload != library.as_os_str() {
            if !preload.is_empty() {
                preload.push(":");
            }
            preload.push(&library);
        }
        let variables: [(&str, OsString); 3] = [
            (PRELOAD, preload),
            (FOLDER_VARIABLE, folder.clone().into()),
            (DATA_VARIABLE, data.clone().into()),
        ];
        launch.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
        let control = ControlPage::create(&control_path(&folder))
            .map_err(HarnessError::system(format!("mapping a page of {}", folder.display())))?;
        let interposed = Arc::new(Interposed { folder, data, control });
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).insert(node, interposed);
        Ok(())
    }
}

/// A disk that was emptied has no history.
fn forget_if_empty(folder: &Path, data: &Path) -> io::Result<()> {
    if fs::read_dir(data)?.next().is_some() {
        return Ok(());
    }
    let missing_is_fine = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    missing_is_fine(fs::remove_dir_all(kept_folder(data)))?;
    missing_is_fine(fs::remove_file(journal_path(folder)))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(OsStr::new(suffix));
    name.into()
}

/// Clears what faults have left on a node's page that are over: errors and delays, not its clock.
pub fn heal_disk(control: &Control) {
    for fault in [&control.write_error, &control.sync_error, &control.sync_delay] {
        fault.store(0, Ordering::Relaxed);
    }
}

/// Restarts the nodes that have ended by themselves, as those do that cannot trust their disk any more; whoever was
/// killed is for others to start. The disks are well again: a node that still ends of what they did does so soon.
///
/// # Errors
///
/// One could not be started.
pub async fn restart_ended(cluster: &Cluster, nodes: &[u8]) -> Result<(), HarnessError> {
    for &node in nodes {
        cluster.expect_end_soon(node).await;
        if cluster.has_ended(node).await {
            cluster.start(node).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_started_with_the_library_and_by_the_path_that_the_kernel_knows() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let top = folder.path().canonicalize().expect("it is there");
        let (data, link, library) = (top.join("real"), top.join("data"), top.join("library.so"));
        fs::create_dir(&data).expect("made");
        fs::write(&library, "").expect("written");
        std::os::unix::fs::symlink(&data, &link).expect("linked");
        let layer = InterposerLayer::new(Some(library.clone()));
        assert_eq!(layer.obstacle(), None);
        let mut launch = Launch {
            program: "program".into(),
            arguments: vec!["--data-dir".into(), link.clone().into()],
            environment: BTreeMap::new(),
            data_directory: link,
        };
        // Two nemeses may ask for the same.
        for _ in 0..2 {
            layer.prepare(1, &mut launch).expect("it can be prepared");
            assert_eq!(launch.environment[PRELOAD], library);
        }
        assert_eq!(launch.environment[DATA_VARIABLE], data);
        assert_eq!(launch.arguments[1], data);
        let interposed = layer.of(1).expect("it was prepared");
        assert!(!interposed.is_seen());
        assert_eq!(kept_folder(&interposed.data), top.join("real.kept"));
        assert!(layer.of(2).is_err());
    }

    #[test]
    fn without_a_library_it_says_how_to_get_one() {
        assert!(InterposerLayer::new(None).obstacle().is_some_and(|why| why.contains("cargo build")));
    }
}
