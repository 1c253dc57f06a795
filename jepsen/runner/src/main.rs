//! `cargo xtask jepsen run`: one run, and its verdict as the exit code.

use std::process::ExitCode;

use clap::Parser;
use quorate_runner::arguments::Arguments;
use quorate_runner::isolation::{self, Isolation};
use quorate_runner::nemesis::catalogue;
use quorate_runner::run::{BAD_ARGUMENTS, Choice, HARNESS_FAILED, abandon, run};
use quorate_runner::workload::{Plan, WorkloadName};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody is left to tell if that cannot be printed.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { BAD_ARGUMENTS } else { 0 });
        }
    };
    let isolation = isolation::enter(!arguments.no_isolation);
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

/// Runs until it is done or somebody does not want to wait. Whatever it has started ends with it either way.
async fn run_or_be_stopped(arguments: &Arguments, choice: Choice, isolation: &Isolation) -> u8 {
    let stopped = async {
        // As the first process of its world it would not hear of them otherwise.
        match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! { biased; _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            }
            (Err(error), _) | (_, Err(error)) => {
                eprintln!("error: signals are not heard: {error}");
                std::future::pending::<()>().await;
            }
        }
    };
    let ended = tokio::select! {
        biased;
        () = stopped => Err("stopped before there was a verdict".to_owned()),
        ended = run(arguments, choice, isolation) => ended.map_err(|error| format!("the harness failed: {error}")),
    };
    ended.unwrap_or_else(|why| {
        eprintln!("{why}");
        // The nodes were told to end. One that still writes may be in the way; the next run removes what is left.
        let _ = abandon(arguments);
        HARNESS_FAILED
    })
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
