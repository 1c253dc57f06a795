//! Every bug that can be put back into the state machine is noticed by the conformance suite. A process of
//! its own, because the switch is the process's.

use std::panic::catch_unwind;

use quorate_kv::MemoryTables;
use quorate_kv::conformance::machine_suite;
use quorate_kv::mutant::{Mutant, activate};

#[test]
fn every_mutant_is_noticed() {
    machine_suite(MemoryTables::default);
    for mutant in Mutant::ALL {
        assert_eq!(Mutant::from_name(mutant.name()), Some(mutant));
        activate(Some(mutant));
        let survived = catch_unwind(|| machine_suite(MemoryTables::default)).is_ok();
        activate(None);
        assert!(!survived, "{} was not noticed", mutant.name());
    }
    machine_suite(MemoryTables::default);
}
