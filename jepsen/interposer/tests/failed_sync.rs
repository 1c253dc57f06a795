//! A process whose syncs fail, and that syncs the same files again without an error, is killed; then power is lost.
//!
//! As on Linux, a page whose flush has failed counts as written: a later sync says that all is well and does nothing for
//! it. Only what is written again comes to the disk.
#![expect(unsafe_code, reason = "a process that kills itself")]

mod victims;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use quorate_faults::control::ControlPage;
use quorate_faults::control_path;
use quorate_faults::power_loss::Loss;

use victims::Machine;

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
    let control =
        ControlPage::map(&OpenOptions::new().read(true).write(true).open(control_path(&victims::folder()))?)?;
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
    let data = victims::data();
    for step in part.split(' ') {
        let done = if step == "fail" { write_and_fail(&data) } else { sync_again(&data) };
        done.unwrap_or_else(|error| panic!("{step}: {error}"));
    }
    victims::die();
}

/// Runs processes with these parts, which are killed one after the other, and then lets power be lost.
fn only_what_is_written_again_is_durable(test: &str, parts: &[&str]) {
    if let Some(part) = victims::part() {
        be_the_victim(&part);
    }
    let machine = Machine::new();
    let content = |name: &str| fs::read(machine.data().join(name)).expect("readable");
    for part in parts {
        machine.run(test, part);
    }
    for (name, _) in FILES {
        assert!(content(name) == NEW, "{name}: a process that is killed loses nothing");
    }
    machine.lose_power(Loss::Everything, 0);
    for (name, is_written) in FILES {
        let expected = if is_written { NEW } else { OLD };
        assert!(content(name) == expected, "{name} begins with {:?}", content(name).first());
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
