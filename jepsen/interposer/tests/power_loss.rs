//! Processes that know nothing of the library change files at random and are killed; then power is lost.
//!
//! A model does the same changes, and says what a disk has to hold.
#![expect(unsafe_code, reason = "a process that kills itself")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_faults::power_loss::{Loss, Lost, lose_power};
use quorate_faults::{DATA_VARIABLE, FOLDER_VARIABLE};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Set for a process that is to be killed: its seed.
const VICTIM: &str = "POWER_LOSS_VICTIM";
const CHANGES: usize = 60;
const DIRECTORIES: [&str; 2] = ["a", "b"];

/// A change of files, by their names below the folder.
enum Change {
    Make(String),
    Write { name: String, at: u64, bytes: Vec<u8>, durable: bool },
    Resize(String, u64),
    Empty(String),
    Sync(String),
    Rename(String, String),
    Remove(String),
    SyncDirectory(&'static str),
}

impl Change {
    fn any(random: &mut impl Rng) -> Self {
        let directory = DIRECTORIES[random.random_range(0..2)];
        let mut name = || format!("{directory}/{}", random.random_range(0..4));
        let (name, other) = (name(), name());
        match random.random_range(0..14) {
            0 | 1 => Change::Make(name),
            2..=5 => {
                let bytes = (0..random.random_range(1..3_000)).map(|_| random.random()).collect();
                let durable = random.random_range(0..5) == 0;
                Change::Write { name, at: random.random_range(0..5_000), bytes, durable }
            }
            6 => Change::Resize(name, random.random_range(0..8_000)),
            7 => Change::Empty(name),
            8 | 9 => Change::Sync(name),
            10 => Change::Rename(name, other),
            11 => Change::Remove(name),
            _ => Change::SyncDirectory(directory),
        }
    }

    /// Does it to real files.
    fn perform(&self, data: &Path) -> std::io::Result<()> {
        let open = |name: &str| OpenOptions::new().write(true).open(data.join(name));
        match self {
            Change::Make(name) => File::create_new(data.join(name)).map(drop),
            Change::Write { name, at, bytes, durable } => {
                let flags = if *durable { libc::O_DSYNC } else { 0 };
                let file = OpenOptions::new().write(true).custom_flags(flags).open(data.join(name))?;
                file.write_all_at(bytes, *at)
            }
            Change::Resize(name, bytes) => open(name)?.set_len(*bytes),
            Change::Empty(name) => {
                OpenOptions::new().write(true).truncate(true).open(data.join(name)).map(drop)
            }
            Change::Sync(name) => open(name)?.sync_data(),
            Change::Rename(from, to) => fs::rename(data.join(from), data.join(to)),
            Change::Remove(name) => fs::remove_file(data.join(name)),
            Change::SyncDirectory(name) => File::open(data.join(name))?.sync_all(),
        }
    }
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

/// What files hold and what of it is durable.
#[derive(Default)]
struct Model {
    contents: Vec<Content>,
    now: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
}

impl Model {
    fn perform(&mut self, change: &Change) {
        let file = |name: &String| self.now.get(name).copied();
        match change {
            Change::Make(name) if file(name).is_none() => {
                self.contents.push(Content::default());
                self.now.insert(name.clone(), self.contents.len() - 1);
            }
            Change::Write { name, at, bytes, durable } => {
                let Some(file) = file(name) else { return };
                let content = &mut self.contents[file];
                write(&mut content.now, *at as usize, bytes);
                if *durable {
                    write(&mut content.durable, *at as usize, bytes);
                }
            }
            Change::Resize(name, bytes) => {
                let Some(file) = file(name) else { return };
                self.contents[file].now.resize(*bytes as usize, 0);
            }
            Change::Empty(name) => {
                let Some(file) = file(name) else { return };
                self.contents[file].now.clear();
            }
            Change::Sync(name) => {
                let Some(file) = file(name) else { return };
                self.contents[file].durable = self.contents[file].now.clone();
            }
            Change::Rename(from, to) => {
                let Some(file) = self.now.remove(from) else { return };
                self.now.insert(to.clone(), file);
            }
            Change::Remove(name) => drop(self.now.remove(name)),
            Change::SyncDirectory(directory) => {
                let inside = |name: &String| name.starts_with(&format!("{directory}/"));
                self.durable.retain(|name, _| !inside(name));
                let names = self.now.iter().filter(|(name, _)| inside(name));
                self.durable.extend(names.map(|(name, file)| (name.clone(), *file)));
            }
            Change::Make(_) => {}
        }
    }

    fn after_power_loss(&self) -> BTreeMap<String, Vec<u8>> {
        let content = |(name, file): (&String, &usize)| (name.clone(), self.contents[*file].durable.clone());
        self.durable.iter().map(content).collect()
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    content.resize(content.len().max(at + bytes.len()), 0);
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

/// What the files of the folder hold.
fn files(data: &Path) -> BTreeMap<String, Vec<u8>> {
    let below = |directory: &str| {
        let entries = fs::read_dir(data.join(directory)).expect("the directory is there");
        entries.map(|entry| entry.expect("readable").path()).collect::<Vec<_>>()
    };
    let name = |path: &PathBuf| path.strip_prefix(data).expect("below").display().to_string();
    let all = DIRECTORIES.into_iter().flat_map(below);
    all.map(|path| (name(&path), fs::read(&path).expect("readable"))).collect()
}

/// The random changes of one process.
fn changes(seed: u64) -> impl Iterator<Item = Change> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..CHANGES).map(move |_| Change::any(&mut random))
}

/// In the process that is to be killed: does the changes, and dies.
fn be_the_victim(seed: u64) -> ! {
    let data = PathBuf::from(std::env::var_os(DATA_VARIABLE).expect("set by the parent"));
    for change in changes(seed) {
        // Names that are not there, or there already: the model knows.
        let _is_in_the_model = change.perform(&data);
    }
    // SAFETY: nothing is left to do for this process.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    unreachable!("nobody survives this signal");
}

/// Runs two processes, one after the other, and lets power be lost. Gives what the model expects, what files hold,
/// and what was lost.
fn run(test: &str, seed: u64, loss: Loss) -> (Model, BTreeMap<String, Vec<u8>>, Lost) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let top = folder.path().canonicalize().expect("it is there");
    let [data, interposer] = ["data", "interposer"].map(|name| top.join(name));
    for directory in DIRECTORIES {
        fs::create_dir_all(data.join(directory)).expect("made");
    }
    fs::create_dir(&interposer).expect("made");
    let mut model = Model::default();
    let program = std::env::current_exe().expect("this program has a path");
    let library = program.with_file_name("libquorate_interposer.so");
    assert!(library.exists(), "cargo builds {} for this test", library.display());
    for seed in [seed, seed + 1_000_000] {
        let mut victim = Command::new(&program);
        victim.args(["--exact", test]).env(VICTIM, seed.to_string()).env("LD_PRELOAD", &library);
        victim.env(FOLDER_VARIABLE, &interposer).env(DATA_VARIABLE, &data);
        let output = victim.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none() && !told.contains("interposer:"), "{output:?}");
        changes(seed).for_each(|change| model.perform(&change));
    }
    let now: BTreeMap<_, _> =
        model.now.iter().map(|(name, file)| (name.clone(), model.contents[*file].now.clone())).collect();
    assert!(files(&data) == now, "a process that is killed loses nothing");
    let lost = lose_power(&interposer, &data, loss, &mut ChaCha8Rng::seed_from_u64(seed)).expect("it works");
    (model, files(&data), lost)
}

fn victims_seed() -> Option<u64> {
    std::env::var(VICTIM).ok()?.parse().ok()
}

#[test]
fn what_was_not_synced_is_lost_and_nothing_else() {
    if let Some(seed) = victims_seed() {
        be_the_victim(seed);
    }
    let mut lost_in_all = Lost::default();
    for seed in 0..60 {
        let (model, files, lost) =
            run("what_was_not_synced_is_lost_and_nothing_else", seed, Loss::Everything);
        assert!(files == model.after_power_loss(), "seed {seed}");
        lost_in_all.sectors += lost.sectors;
        lost_in_all.names += lost.names;
    }
    assert!(lost_in_all.sectors > 500 && lost_in_all.names > 100, "{lost_in_all:?}");
}

#[test]
fn some_of_what_was_not_synced_survives() {
    if let Some(seed) = victims_seed() {
        be_the_victim(seed);
    }
    let (mut unsynced, mut lost) = (0, 0);
    for seed in 0..20 {
        let (model, files, loss) = run("some_of_what_was_not_synced_survives", seed, Loss::Some);
        // What is durable and was not touched since is as it was.
        for (name, file) in model.durable.iter().filter(|(name, file)| model.now.get(*name) == Some(file)) {
            let content = &model.contents[*file];
            if content.now == content.durable {
                assert_eq!(files.get(name), Some(&content.now), "seed {seed}, {name}");
            }
        }
        unsynced += loss.sectors_unsynced;
        lost += loss.sectors;
    }
    assert!(0 < lost && lost < unsynced, "{lost} of {unsynced}");
}
