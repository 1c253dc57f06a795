//! `cargo xtask jepsen run`: one run, and its verdict as the exit code.

use std::io;
use std::process::{ExitCode, ExitStatus};

use clap::Parser;
use quorate_runner::arguments::Arguments;
use quorate_runner::isolation::{self, Isolation, Place, leash};
use quorate_runner::nemesis::catalogue;
use quorate_runner::run::{BAD_ARGUMENTS, Choice, HARNESS_FAILED, abandon, run};
use quorate_runner::stop_signals::StopSignals;
use quorate_runner::workload::{Plan, WorkloadName};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody is left to tell if that cannot be printed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { BAD_ARGUMENTS } else { 0 });
        }
    };
    let isolation = match isolation::enter(!arguments.no_isolation) {
        Place::Here(isolation) => isolation,
        Place::Inside(ended) => return ExitCode::from(code_of_inside(&arguments, ended)),
    };
    let choice = match Choice::of(&arguments, &isolation) {
        Ok(choice) => choice,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BAD_ARGUMENTS);
        }
    };
    if arguments.list {
        list(&arguments, &isolation);
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    let code = match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run_or_be_stopped(&arguments, choice, &isolation));
            // A run that was stopped may still be judging, and nobody waits for that.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            HARNESS_FAILED
        }
    };
    ExitCode::from(code)
}

/// What this process ends with when all was done by another one, inside.
fn code_of_inside(arguments: &Arguments, ended: io::Result<ExitStatus>) -> u8 {
    let code = match ended {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or_else(|| {
            eprintln!("the harness failed: the runner inside ended with {status}");
            HARNESS_FAILED
        }),
        Err(error) => {
            eprintln!("the harness failed: the runner inside: {error}");
            HARNESS_FAILED
        }
    };
    if !matches!(code, 0..=BAD_ARGUMENTS) {
        // It failed, or was killed. Of what it had started nothing is left that could still write.
        clean_up(arguments);
    }
    code
}

/// Runs until it is done or somebody does not want to wait. Whatever it has started ends with it either way.
async fn run_or_be_stopped(arguments: &Arguments, choice: Choice, isolation: &Isolation) -> u8 {
    let ended = tokio::select! {
        biased;
        told = await_stop(isolation) => Err(match told {
            Ok(()) => "stopped before there was a verdict".to_owned(),
            Err(error) => format!("the harness failed: it cannot hear whether it is told to stop: {error}"),
        }),
        ended = run(arguments, choice, isolation) => ended.map_err(|error| format!("the harness failed: {error}")),
    };
    ended.unwrap_or_else(|why| {
        eprintln!("{why}");
        clean_up(arguments);
        HARNESS_FAILED
    })
}

/// Waits until somebody tells this process to stop: by a signal, or, inside, by letting go of its leash.
async fn await_stop(isolation: &Isolation) -> io::Result<()> {
    let mut signals = StopSignals::hear()?;
    if !isolation.is_isolated() {
        signals.told().await;
        return Ok(());
    }
    tokio::select! {
        biased;
        () = signals.told() => Ok(()),
        let_go = leash::let_go() => let_go,
    }
}

/// Removes what a run has left that came to no end of its own.
fn clean_up(arguments: &Arguments) {
    if let Err(error) = abandon(arguments) {
        eprintln!("what nodes have stored is not all removed: {error}");
    }
}

/// Names nemeses and workloads.
fn list(arguments: &Arguments, isolation: &Isolation) {
    println!("Nemeses:");
    for nemesis in catalogue::all().into_iter().filter(|nemesis| nemesis.suits(arguments.target)) {
        println!("  {:22} {}", nemesis.name(), nemesis.description());
        if let Some(why) = nemesis.obstacle(isolation.is_isolated()) {
            println!("  {:22} (not here: {why})", "");
        }
    }
    println!("\nWorkloads:");
    for name in Plan::choose(&["all".into()], arguments.target).unwrap_or_default() {
        println!("  {}", workload_word(name));
    }
}

fn workload_word(name: WorkloadName) -> String {
    use clap::ValueEnum;
    name.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
