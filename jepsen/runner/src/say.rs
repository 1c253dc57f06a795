//! What a run says while it goes on. If nobody reads that any more, it goes on all the same: what it has started has to
//! be ended, and what it has stored to be removed, whoever listens.

use std::fmt::Display;
use std::io::{self, Write};

/// Says how the run goes.
pub fn say(line: impl Display) {
    let _nobody_listens = writeln!(io::stdout(), "{line}");
}

/// Says what is wrong.
pub fn complain(line: impl Display) {
    let _nobody_listens = writeln!(io::stderr(), "{line}");
}
