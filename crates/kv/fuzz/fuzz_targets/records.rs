//! Records of every table: whatever a disk gives back, checking it ends and does not panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use quorate_kv::{Table, check_record};

fuzz_target!(|input: &[u8]| {
    let [key_bytes, rest @ ..] = input else { return };
    let (key, record) = rest.split_at(usize::from(*key_bytes).min(rest.len()));
    for table in Table::ALL {
        // Most are refused; what counts is that they are.
        let _ = check_record(table, key, record);
    }
});
