//! Commands, proposals and outcomes: bytes are refused, or are the only encoding of what they stand for.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use quorate_kv::{Command, Outcome, Proposal};

fuzz_target!(|input: &[u8]| {
    let input = Bytes::copy_from_slice(input);
    if let Ok(command) = Command::decode(&input) {
        assert_eq!(command.encode(), input);
    }
    if let Ok(proposal) = Proposal::decode(&input) {
        assert_eq!(proposal.encode(), input);
    }
    if let Ok(outcome) = Outcome::decode(&input) {
        assert_eq!(outcome.encode(), input);
    }
});
