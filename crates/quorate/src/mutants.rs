//! Single bugs put back, chosen by an environment variable.
//!
//! This exists only with the cargo feature `mutants`, to prove that the runner of real processes convicts what it
//! should. Nobody who builds the product for use has it: without debug assertions the feature does not compile.

use quorate_environment::mutant::{self as node_mutant, Mutant as NodeMutant};
use quorate_kv::mutant::{self as state_mutant, Mutant as StateMutant};

#[cfg(not(debug_assertions))]
compile_error!("bugs are put back only in debug builds");

/// Names the bug of this process; unset or empty for none.
const VARIABLE: &str = "QUORATE_MUTANT";

/// Puts the bug back that the environment names.
///
/// # Errors
///
/// There is none of that name, with those that there are.
pub fn activate_from_environment() -> Result<(), String> {
    let Some(name) = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty()) else { return Ok(()) };
    let (node, state) = (NodeMutant::from_name(&name), StateMutant::from_name(&name));
    if (node, state) == (None, None) {
        let names = NodeMutant::ALL.map(NodeMutant::name).into_iter();
        let names: Vec<_> = names.chain(StateMutant::ALL.map(StateMutant::name)).collect();
        return Err(format!("{VARIABLE}: there is no bug {name}; there are: {}", names.join(", ")));
    }
    tracing::warn!(bug = name, "a bug was put back on purpose");
    node_mutant::activate(node);
    state_mutant::activate(state);
    Ok(())
}
