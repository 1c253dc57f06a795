//! The checker as a command: `quorate-jepsen check FILE...`.
//!
//! Exit codes: 0 if every history keeps what is promised, 1 if one does not, 2 if a limit was reached
//! first, 3 for bad input or bad arguments. Of several files the worst counts: bad input before a
//! violation before a limit.

mod arguments;
mod check;
mod generate;
mod limits;
mod report;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// The exit code of bad input. A wrong argument is bad input too, so that 1 and 2 are always verdicts.
const BAD_INPUT: u8 = 3;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_error = error.use_stderr();
            return match error.print() {
                Ok(()) if !is_error => ExitCode::SUCCESS,
                _ => ExitCode::from(BAD_INPUT),
            };
        }
    };
    match arguments.command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Gen(arguments) => generate::run(&arguments),
    }
}
