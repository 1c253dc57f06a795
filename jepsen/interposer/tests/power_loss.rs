//! Processes that know nothing of the library change files at random and are killed; then power is lost.
//!
//! A model does the same changes, and says what a disk has to hold.
#![expect(unsafe_code, reason = "a process that kills itself")]

mod victims;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use quorate_faults::journal_path;
use quorate_faults::power_loss::{Loss, Lost};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use victims::Machine;

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
    let data = victims::data();
    for change in changes(seed) {
        // Names that are not there, or there already: the model knows.
        let _is_in_the_model = change.perform(&data);
    }
    victims::die();
}

/// Runs two processes, one after the other, and lets power be lost. Gives what the model expects, what files hold,
/// and what was lost.
fn run(test: &str, seed: u64, loss: Loss) -> (Model, BTreeMap<String, Vec<u8>>, Lost) {
    let machine = Machine::new();
    let data = machine.data();
    for directory in DIRECTORIES {
        fs::create_dir(data.join(directory)).expect("made");
    }
    let mut model = Model::default();
    for seed in [seed, seed + 1_000_000] {
        machine.run(test, &seed.to_string());
        changes(seed).for_each(|change| model.perform(&change));
    }
    let now: BTreeMap<_, _> =
        model.now.iter().map(|(name, file)| (name.clone(), model.contents[*file].now.clone())).collect();
    assert!(files(data) == now, "a process that is killed loses nothing");
    let lost = machine.lose_power(loss, seed);
    (model, files(data), lost)
}

fn victims_seed() -> Option<u64> {
    victims::part()?.parse().ok()
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

/// Removes a file, and dies while it is noted that this is durable.
fn die_in_a_sync_of_a_directory() -> std::io::Result<()> {
    let data = victims::data();
    let path = data.join("removed");
    let file = File::create_new(&path)?;
    file.write_all_at(b"content", 0)?;
    file.sync_data()?;
    let directory = File::open(&data)?;
    directory.sync_all()?;
    fs::remove_file(&path)?;
    // The journal cannot grow any more: who tries to make it grow is killed.
    let journal = fs::metadata(journal_path(&victims::folder()))?.len();
    let limit = libc::rlimit { rlim_cur: journal, rlim_max: journal };
    // SAFETY: the pointer is to a limit that lives long enough.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    directory.sync_all()
}

#[test]
fn a_process_may_die_while_a_name_becomes_durable() {
    if victims::part().is_some() {
        let survived = die_in_a_sync_of_a_directory();
        panic!("it lives: {survived:?}");
    }
    let machine = Machine::new();
    machine.run("a_process_may_die_while_a_name_becomes_durable", "");
    let path = machine.data().join("removed");
    assert!(!path.exists());
    let lost = machine.lose_power(Loss::Everything, 0);
    assert_eq!(lost.names, 1, "{lost:?}");
    assert_eq!(fs::read(&path).expect("it is back"), b"content");
}
