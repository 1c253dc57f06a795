//! `quorate-sim`: one simulation in one process. See `command.rs`; `cargo xtask sim` runs many.

#[cfg(madsim)]
fn main() -> std::process::ExitCode {
    quorate_sim::command::main()
}

#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    use std::io::Write;
    let hint = "error: this program was not built for the simulated world: run `cargo xtask sim`\n";
    // Nothing can be done if standard error is closed.
    let _ = std::io::stderr().write_all(hint.as_bytes());
    std::process::ExitCode::from(2)
}
