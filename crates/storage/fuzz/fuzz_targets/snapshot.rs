//! A file that is said to be a snapshot: verifying it ends and does not panic, whatever is in it.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use quorate_storage::snapshot::SnapshotReader;

fuzz_target!(|input: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(input).expect("the temporary file takes it");
    // Most are refused; what counts is that they are.
    let _ = SnapshotReader::inspect(file.path());
    let _ = SnapshotReader::verify(file.path());
});
