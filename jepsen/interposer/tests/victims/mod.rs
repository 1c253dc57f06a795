//! Processes that are followed and killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_faults::power_loss::{Loss, Lost, lose_power};
use quorate_faults::{DATA_VARIABLE, FOLDER_VARIABLE};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Set for a process that is to be killed: its part.
const PART: &str = "VICTIMS_PART";

/// What this process is to do, if it is one that is to be killed.
pub fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// In such a process: the folder that is followed.
pub fn data() -> PathBuf {
    PathBuf::from(std::env::var_os(DATA_VARIABLE).expect("set by the parent"))
}

/// In such a process: the folder of what follows it.
pub fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER_VARIABLE).expect("set by the parent"))
}

/// In such a process: it dies now.
pub fn die() -> ! {
    // SAFETY: nothing is left to do for this process.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    unreachable!("nobody survives this signal");
}

/// A machine on which processes are followed, and that loses power.
pub struct Machine {
    _folder: tempfile::TempDir,
    interposer: PathBuf,
    data: PathBuf,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let top = folder.path().canonicalize().expect("it is there");
        let [data, interposer] = ["data", "interposer"].map(|name| top.join(name));
        for folder in [&data, &interposer] {
            fs::create_dir(folder).expect("made");
        }
        Self { _folder: folder, interposer, data }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Runs a process that does its part in the test of that name, and is killed.
    pub fn run(&self, test: &str, part: &str) {
        let program = std::env::current_exe().expect("this program has a path");
        let library = program.with_file_name("libquorate_interposer.so");
        assert!(library.exists(), "cargo builds {} for this test", library.display());
        let mut victim = Command::new(&program);
        victim.args(["--exact", test]).env(PART, part).env("LD_PRELOAD", &library);
        victim.env(FOLDER_VARIABLE, &self.interposer).env(DATA_VARIABLE, &self.data);
        let output = victim.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none() && !told.contains("interposer:"), "{output:?}");
    }

    pub fn lose_power(&self, loss: Loss, seed: u64) -> Lost {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        lose_power(&self.interposer, &self.data, loss, &mut random).expect("it works")
    }
}
