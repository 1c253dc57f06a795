//! `cargo xtask jepsen run`: one run, and its verdict as the exit code.

use std::io;
use std::process::{ExitCode, ExitStatus};
use std::time::SystemTime;

use clap::Parser;
use quorate_runner::arguments::Arguments;
use quorate_runner::isolation::{self, Isolation, Place, ending, leash};
use quorate_runner::nemesis::catalogue;
use quorate_runner::run::{BAD_ARGUMENTS, Choice, HARNESS_FAILED, abandon, run};
use quorate_runner::say::{complain, say};
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
    let began = SystemTime::now();
    let isolation = match isolation::enter(!arguments.no_isolation) {
        Place::Here(isolation) => isolation,
        Place::Inside(ended) => return ExitCode::from(code_of_inside(&arguments, began, ended)),
    };
    let choice = match Choice::of(&arguments, &isolation) {
        Ok(choice) => choice,
        Err(error) => {
            complain(format_args!("error: {error}"));
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
            complain(format_args!("error: no runtime: {error}"));
            HARNESS_FAILED
        }
    };
    ExitCode::from(code)
}

/// What this process ends with when all was done by another one, inside.
fn code_of_inside(arguments: &Arguments, began: SystemTime, ended: io::Result<ExitStatus>) -> u8 {
    let wrote_report = ending::has_report(&arguments.output, began);
    let code = ending::code_of_inside(ended, wrote_report, arguments.list);
    if !matches!(code, Ok(0..=BAD_ARGUMENTS)) {
        // It failed, or was killed. Of what it had started nothing is left that could still write.
        clean_up(arguments);
    }
    code.unwrap_or_else(|why| {
        complain(format_args!("the harness failed: {why}"));
        HARNESS_FAILED
    })
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
        clean_up(arguments);
        complain(why);
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
        complain(format_args!("what nodes have stored is not all removed: {error}"));
    }
}

/// Names nemeses and workloads.
fn list(arguments: &Arguments, isolation: &Isolation) {
    say("Nemeses:");
    for nemesis in catalogue::all().into_iter().filter(|nemesis| nemesis.suits(arguments.target)) {
        say(format_args!("  {:22} {}", nemesis.name(), nemesis.description()));
        if let Some(why) = nemesis.obstacle(isolation.is_isolated()) {
            say(format_args!("  {:22} (not here: {why})", ""));
        }
    }
    say("\nWorkloads:");
    for name in Plan::choose(&["all".into()], arguments.target).unwrap_or_default() {
        say(format_args!("  {}", workload_word(name)));
    }
}

fn workload_word(name: WorkloadName) -> String {
    use clap::ValueEnum;
    name.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
