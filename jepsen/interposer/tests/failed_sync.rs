//! A process whose syncs fail, and that syncs the same files again without an error, is killed; then power is lost.
//!
//! As on Linux, a page whose flush has failed counts as written: a later sync says that all is well and does nothing for
//! it. Only what is written again comes to the disk.
#![expect(unsafe_code, reason = "a process that kills itself")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use quorate_faults::control::ControlPage;
use quorate_faults::power_loss::{Loss, lose_power};
use quorate_faults::{DATA_VARIABLE, FOLDER_VARIABLE, control_path};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Set for a process that is to be killed: its part.
const VICTIM: &str = "FAILED_SYNC_VICTIM";
const BYTES: usize = 3_000;
const OLD: [u8; BYTES] = [1; BYTES];
const NEW: [u8; BYTES] = [2; BYTES];

/// Files, and whether what they hold is written again before they are synced again.
const FILES: [(&str, bool); 2] = [("synced-again", false), ("written-again", true)];

/// The first process: what syncs are for that fail.
fn write_and_fail(data: &Path) -> io::Result<()> {
    let files = FILES.map(|(name, _)| File::create_new(data.join(name)));
    let files = files.into_iter().collect::<io::Result<Vec<_>>>()?;
    for file in &files {
        file.write_all_at(&OLD, 0)?;
        file.sync_data()?;
    }
    File::open(data)?.sync_all()?;
    let folder = PathBuf::from(std::env::var_os(FOLDER_VARIABLE).expect("set by the parent"));
    let control = ControlPage::map(&OpenOptions::new().read(true).write(true).open(control_path(&folder))?)?;
    for file in &files {
        file.write_all_at(&NEW, 0)?;
        control.sync_error.store(libc::EIO as u64, Ordering::Relaxed);
        assert_eq!(file.sync_data().map_err(|error| error.raw_os_error()), Err(Some(libc::EIO)));
        control.sync_error.store(0, Ordering::Relaxed);
    }
    Ok(())
}

/// The same process or the next one: the disk is well again.
fn sync_again(data: &Path) -> io::Result<()> {
    for (name, is_written) in FILES {
        let file = OpenOptions::new().write(true).open(data.join(name))?;
        if is_written {
            file.write_all_at(&NEW, 0)?;
        }
        file.sync_data()?;
    }
    Ok(())
}

fn be_the_victim(part: &str) -> ! {
    let data = PathBuf::from(std::env::var_os(DATA_VARIABLE).expect("set by the parent"));
    for step in part.split(' ') {
        let done = if step == "fail" { write_and_fail(&data) } else { sync_again(&data) };
        done.unwrap_or_else(|error| panic!("{step}: {error}"));
    }
    // SAFETY: nothing is left to do for this process.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    unreachable!("nobody survives this signal");
}

/// What files hold when processes with these parts were killed one after the other, and then power was lost.
fn after_power_loss(test: &str, parts: &[&str]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let top = folder.path().canonicalize().expect("it is there");
    let [data, interposer] = ["data", "interposer"].map(|name| top.join(name));
    for folder in [&data, &interposer] {
        fs::create_dir(folder).expect("made");
    }
    let program = std::env::current_exe().expect("this program has a path");
    let library = program.with_file_name("libquorate_interposer.so");
    assert!(library.exists(), "cargo builds {} for this test", library.display());
    for part in parts {
        let mut victim = Command::new(&program);
        victim.args(["--exact", test]).env(VICTIM, part).env("LD_PRELOAD", &library);
        victim.env(FOLDER_VARIABLE, &interposer).env(DATA_VARIABLE, &data);
        let output = victim.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none() && !told.contains("interposer:"), "{output:?}");
    }
    let content = |name: &str| fs::read(data.join(name)).expect("readable");
    for (name, _) in FILES {
        assert!(content(name) == NEW, "{name}: a process that is killed loses nothing");
    }
    let mut random = ChaCha8Rng::seed_from_u64(0);
    lose_power(&interposer, &data, Loss::Everything, &mut random).expect("it works");
    FILES.map(|(name, _)| content(name)).into()
}

fn only_what_is_written_again_is_durable(test: &str, parts: &[&str]) {
    if let Ok(part) = std::env::var(VICTIM) {
        be_the_victim(&part);
    }
    for ((name, is_written), content) in FILES.into_iter().zip(after_power_loss(test, parts)) {
        let expected = if is_written { NEW } else { OLD };
        assert!(content == expected, "{name} begins with {:?}", content.first());
    }
}

#[test]
fn a_sync_after_a_failed_one_makes_nothing_durable() {
    only_what_is_written_again_is_durable("a_sync_after_a_failed_one_makes_nothing_durable", &["fail again"]);
}

#[test]
fn the_next_process_cannot_make_it_durable_by_a_sync_either() {
    let test = "the_next_process_cannot_make_it_durable_by_a_sync_either";
    only_what_is_written_again_is_durable(test, &["fail", "again"]);
}
