//! Plain files on the disk that loses power.
#![cfg(madsim)]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quorate_sim::power_loss::{
    all_but_lock_files, arm, blown, enable, errors, fail_sync, fail_writes, forget, operations, power_loss,
    spare_sync, unsynced,
};
use tempfile::TempDir;

/// A modelled directory, in memory.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").expect("there is a file system in memory");
        enable(directory.path(), all_but_lock_files);
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        forget(self.path());
    }
}

fn write_synced(path: &Path, content: &[u8]) {
    let mut file = File::create(path).expect("the file can be created");
    file.write_all(content).expect("the file can be written");
    file.sync_all().expect("the file can be synced");
}

fn sync_directory(path: &Path) {
    File::open(path).expect("the directory exists").sync_all().expect("a directory can be synced");
}

/// What is found in `path` after each of many losses, when `write` has written to a directory that
/// `prepare` made.
fn outcomes(name: &str, prepare: impl Fn(&Path), write: impl Fn(&Path)) -> BTreeSet<Option<Vec<u8>>> {
    (0..200)
        .map(|seed| {
            let disk = Disk::new();
            prepare(disk.path());
            write(disk.path());
            power_loss(disk.path(), seed);
            fs::read(disk.path().join(name)).ok()
        })
        .collect()
}

fn nothing(_: &Path) {}

#[test]
fn functions_of_the_c_library_are_replaced() {
    let disk = Disk::new();
    let path = disk.path().join("file");
    let mut file = File::create(&path).expect("the file can be created");
    let mut count = |what: &str, mut operation: Box<dyn FnMut(&mut File)>| {
        let before = operations();
        operation(&mut file);
        // Other tests run at the same time, so there may be more.
        assert!(operations() > before, "{what} was not intercepted");
    };
    count("write", Box::new(|file| file.write_all(b"a").expect("written")));
    count("pwrite", Box::new(|file| file.write_all_at(b"b", 9).expect("written")));
    count(
        "writev",
        Box::new(|file| {
            let parts = [IoSlice::new(b"c"), IoSlice::new(b"d")];
            assert_eq!(file.write_vectored(&parts).expect("written"), 2);
        }),
    );
    assert_eq!(unsynced(disk.path()), 1);
    count("fdatasync", Box::new(|file| file.sync_data().expect("synced")));
    assert_eq!(unsynced(disk.path()), 0);
    count("fsync", Box::new(|file| file.sync_all().expect("synced")));
    let other = disk.path().join("other");
    count("rename", Box::new(move |_| fs::rename(&path, &other).expect("renamed")));
}

#[test]
fn synced_bytes_survive() {
    let content = vec![7_u8; 10_000];
    let found = outcomes("file", nothing, |directory| write_synced(&directory.join("file"), &content));
    assert_eq!(found, [Some(content.clone())].into());
}

#[test]
fn unsynced_bytes_are_kept_lost_or_torn() {
    let (old, new) = (vec![1_u8; 4096], vec![2_u8; 4096]);
    let found = outcomes(
        "file",
        |directory| write_synced(&directory.join("file"), &old),
        |directory| {
            let file = OpenOptions::new().write(true).open(directory.join("file")).expect("it exists");
            file.write_all_at(&new, 0).expect("the file can be written");
        },
    );
    assert!(found.contains(&Some(old)), "never lost");
    assert!(found.contains(&Some(new)), "never kept");
    assert!(found.len() > 50, "hardly ever torn");
    for content in found.into_iter().flatten() {
        for sector in content.chunks(512) {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector was torn");
        }
    }
}

#[test]
fn an_append_that_was_not_synced_leaves_a_part() {
    let append = |directory: &Path, sync: bool| {
        let file = OpenOptions::new().append(true).open(directory.join("log"));
        let mut file = file.expect("the log exists");
        file.write_all(&[2; 6_000]).expect("the log can be written");
        if sync {
            file.sync_data().expect("the log can be synced");
        }
    };
    let prepare = |directory: &Path| write_synced(&directory.join("log"), &[1; 3_000]);

    let found = outcomes("log", prepare, |directory| append(directory, false));
    let lengths: BTreeSet<usize> = found.iter().map(|log| log.as_ref().expect("it exists").len()).collect();
    assert!(lengths.contains(&3_000) && lengths.contains(&9_000) && lengths.len() > 10, "{lengths:?}");
    for log in found.into_iter().flatten() {
        assert!(log[..3_000].iter().all(|byte| *byte == 1), "what was synced has changed");
        assert!(log[3_000..].iter().all(|byte| *byte == 2 || *byte == 0), "bytes from nowhere");
    }

    let found = outcomes("log", prepare, |directory| append(directory, true));
    assert_eq!(found, [Some([vec![1; 3_000], vec![2; 6_000]].concat())].into());
}

#[test]
fn a_rename_is_durable_when_its_directory_is_synced() {
    let replace = |directory: &Path, sync: bool| {
        write_synced(&directory.join("identity.new"), b"new");
        fs::rename(directory.join("identity.new"), directory.join("identity")).expect("renamed");
        if sync {
            sync_directory(directory);
        }
    };
    let prepare = |directory: &Path| write_synced(&directory.join("identity"), b"old");

    let found = outcomes("identity", prepare, |directory| replace(directory, true));
    assert_eq!(found, [Some(b"new".to_vec())].into());
    let found = outcomes("identity", prepare, |directory| replace(directory, false));
    assert_eq!(found, [Some(b"new".to_vec()), Some(b"old".to_vec())].into());
    let found = outcomes("identity", nothing, |directory| replace(directory, false));
    assert_eq!(found, [Some(b"new".to_vec()), None].into());
}

#[test]
fn a_renamed_file_that_was_not_synced_may_be_empty() {
    let found = outcomes("file", nothing, |directory| {
        fs::write(directory.join("file.new"), b"content").expect("written");
        fs::rename(directory.join("file.new"), directory.join("file")).expect("renamed");
        sync_directory(directory);
    });
    assert!(found.contains(&Some(b"content".to_vec())), "{found:?}");
    assert!(found.contains(&Some(Vec::new())), "{found:?}");
}

#[test]
fn a_renamed_directory_takes_its_files_along() {
    let mut renamed = 0;
    for seed in 0..50 {
        let disk = Disk::new();
        let (old, new) = (disk.path().join("state.new"), disk.path().join("state"));
        fs::create_dir(&old).expect("created");
        write_synced(&old.join("data"), b"synced");
        fs::rename(&old, &new).expect("renamed");
        // The model follows the file to its new path.
        let file = OpenOptions::new().append(true).open(new.join("data")).expect("it exists");
        (&file).write_all(b" and not").expect("written");
        drop(file);
        assert_eq!(power_loss(disk.path(), seed), 1);
        let home = if new.exists() { &new } else { &old };
        renamed += usize::from(new.exists());
        assert!(new.exists() != old.exists(), "the directory is in one place");
        assert!(fs::read(home.join("data")).expect("the file exists").starts_with(b"synced"));
    }
    assert!((1..50).contains(&renamed), "{renamed} of 50 renames survived");
}

#[test]
fn everything_below_a_directory_loses_power_at_one_instant() {
    for operations_until_loss in 0..40 {
        let disk = Disk::new();
        let names = ["log", "state", "small"];
        let mut files = names.map(|name| {
            fs::create_dir(disk.path().join(name)).expect("created");
            File::create(disk.path().join(name).join("data")).expect("created")
        });
        let called = Arc::new(AtomicBool::new(false));
        let on_blow = {
            let (called, path) = (called.clone(), disk.path().to_path_buf());
            // The callback may ask the model.
            move || called.store(blown(&path), Ordering::Relaxed)
        };
        arm(disk.path(), operations_until_loss, operations_until_loss, on_blow);

        // Round by round, each file is a byte ahead of the next one, or none.
        let mut acknowledged = 0;
        for round in 0..30 {
            for file in &mut files {
                file.write_all(&[round]).expect("written");
                file.sync_data().expect("synced");
            }
            if !blown(disk.path()) {
                acknowledged = round + 1;
            }
        }
        assert!(blown(disk.path()) && called.load(Ordering::Relaxed));
        // What happens after the loss leaves no trace.
        fs::write(disk.path().join("later"), b"later").expect("written");
        fs::remove_file(disk.path().join("small/data")).expect("removed");

        drop(files);
        let pages = power_loss(disk.path(), 0);
        assert!(pages <= 1, "{pages} pages were unsynced although each write was synced");
        let lengths =
            names.map(|name| fs::read(disk.path().join(name).join("data")).expect("it exists").len());
        assert!(lengths.is_sorted_by(|ahead, behind| ahead >= behind), "{lengths:?}");
        assert!(lengths[0] - lengths[2] <= 1, "{lengths:?}");
        assert!(lengths[2] >= usize::from(acknowledged), "{lengths:?} of {acknowledged}");
        assert!(!disk.path().join("later").exists());
    }
}

#[test]
fn a_seed_decides_what_survives() {
    let survivors = |seed| {
        let disk = Disk::new();
        for number in 0..20_u8 {
            fs::write(disk.path().join(format!("file-{number}")), vec![number; 5_000]).expect("written");
        }
        assert_eq!(power_loss(disk.path(), seed), 40);
        let files = (0..20).map(|number| fs::read(disk.path().join(format!("file-{number}"))));
        files.map(|content| content.expect("it exists")).collect::<Vec<_>>()
    };
    assert_eq!(survivors(1), survivors(1));
    assert_ne!(survivors(1), survivors(2));
}

#[test]
fn a_lock_file_does_not_survive_and_other_directories_do() {
    let disk = Disk::new();
    let outside = tempfile::tempdir_in("/dev/shm").expect("there is a file system in memory");
    fs::write(disk.path().join("lock.mdb"), b"locks").expect("written");
    fs::write(outside.path().join("file"), b"content").expect("written");
    assert_eq!(unsynced(disk.path()), 0, "a lock file is no data");
    power_loss(disk.path(), 1);
    assert!(!disk.path().join("lock.mdb").exists());
    assert_eq!(fs::read(outside.path().join("file")).expect("it exists"), b"content");
}

#[test]
fn after_a_loss_the_disk_begins_anew() {
    let disk = Disk::new();
    let path = disk.path().join("file");
    fs::write(&path, b"first").expect("written");
    power_loss(disk.path(), 3);
    let left = fs::read(&path).expect("it exists");
    assert_eq!(unsynced(disk.path()), 0);
    power_loss(disk.path(), 4);
    assert_eq!(fs::read(&path).expect("it exists"), left, "what survived one loss survives the next");
}

#[test]
#[should_panic(expected = "files are open")]
fn power_is_not_lost_while_files_are_open() {
    let disk = Disk::new();
    let _file = File::create(disk.path().join("file")).expect("created");
    power_loss(disk.path(), 1);
}

#[test]
fn a_full_disk_refuses_writes() {
    let disk = Disk::new();
    let mut file = File::create(disk.path().join("file")).expect("created");
    file.write_all(b"before").expect("written");
    fail_writes(disk.path(), true);
    let error = file.write_all(b"during").expect_err("the disk is full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let error = file.write_all_at(b"during", 0).expect_err("the disk is full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    file.sync_all().expect("a full disk syncs");
    assert_eq!(errors(disk.path()), 2);
    fail_writes(disk.path(), false);
    file.write_all(b" after").expect("written");
    drop(file);
    assert_eq!(fs::read(disk.path().join("file")).expect("it exists"), b"before after");
}

#[test]
fn a_failed_sync_loses_what_a_second_one_seems_to_save() {
    let found = outcomes("file", nothing, |directory| {
        let mut file = File::create(directory.join("file")).expect("created");
        file.write_all(&[1; 100]).expect("written");
        fail_sync(directory);
        let error = file.sync_all().expect_err("the sync fails");
        assert_eq!(error.raw_os_error(), Some(libc_eio()));
        file.sync_all().expect("the next sync seems to work");
    });
    assert_eq!(found, [Some(vec![0; 100])].into());

    let found = outcomes("file", nothing, |directory| {
        let mut file = File::create(directory.join("file")).expect("created");
        file.write_all(&[1; 100]).expect("written");
        fail_sync(directory);
        file.sync_all().expect_err("the sync fails");
        file.write_all_at(&[2; 100], 0).expect("written again");
        file.sync_all().expect("synced");
    });
    assert_eq!(found, [Some(vec![2; 100])].into());
}

#[test]
fn a_failure_that_was_taken_back_fails_nothing() {
    let disk = Disk::new();
    let file = File::create(disk.path().join("file")).expect("created");
    fail_sync(disk.path());
    spare_sync(disk.path());
    file.sync_all().expect("nothing is to fail any more");
    assert_eq!(errors(disk.path()), 0);
    fail_sync(disk.path());
    file.sync_all().expect_err("the sync fails");
    spare_sync(disk.path());
    assert_eq!(errors(disk.path()), 1);
}

fn libc_eio() -> i32 {
    5
}
