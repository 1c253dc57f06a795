//! Nemeses of disks and clocks.
//!
//! All but the full disk stand on the interposer, a library that is preloaded into the nodes (`quorate-faults` tells
//! what it does). It has to be beside this program.

pub mod clocks;
pub mod failing_disk;
pub mod full_disk;
pub mod interposer_layer;
pub mod power_loss;
pub mod slow_disk;

use std::path::PathBuf;
use std::sync::Arc;

use crate::nemesis::Nemesis;
use interposer_layer::InterposerLayer;

/// All of them. `interposer` is where the library is, if it is anywhere.
pub fn nemeses(interposer: Option<PathBuf>) -> Vec<Box<dyn Nemesis>> {
    let layer = Arc::new(InterposerLayer::new(interposer));
    vec![
        // The first is the lowest: where the data is.
        Box::new(full_disk::FullDisk::default()),
        Box::new(power_loss::PowerLoss::new(layer.clone())),
        Box::new(slow_disk::SlowDisk::new(layer.clone())),
        Box::new(failing_disk::FailingDisk::new(layer.clone())),
        Box::new(clocks::ClockRate::new(layer.clone())),
        Box::new(clocks::ClockJump::new(layer)),
    ]
}

/// The library that was built with this program, if it was.
pub fn built_interposer() -> Option<PathBuf> {
    let library = std::env::current_exe().ok()?.with_file_name("libquorate_interposer.so");
    library.is_file().then_some(library)
}
