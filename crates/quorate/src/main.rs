//! The `quorate` command: the only place where environment, storage, network and HTTP meet.

mod arguments;
mod client_arguments;
mod client_commands;
mod client_url;
mod configuration;
mod dev;
mod dialect_addresses;
mod documentation;
mod error;
mod example_configuration;
mod member_arguments;
#[cfg(feature = "mutants")]
mod mutants;
mod node;
mod recover;
mod repair;
mod route;
mod serve;
mod signals;
mod telemetry;
mod top;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::error::CommandError;
use crate::telemetry::Telemetry;

/// A request makes some dozens of short allocations; the C library spent a tenth of all processor time on
/// them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let telemetry = match Telemetry::start(&arguments.logging) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(&error.to_string(), ExitCode::from(2)),
    };
    stop_on_panic();
    #[cfg(feature = "mutants")]
    if let Err(unknown) = mutants::activate_from_environment() {
        return fail(&unknown, ExitCode::from(2));
    }
    let threads = arguments.worker_threads.map_or_else(worker_threads_default, usize::from);
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(&format!("cannot start: {error}"), ExitCode::FAILURE),
        };
    let ended = runtime.block_on(run(arguments.command));
    telemetry.stop();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_reader_gone() => ExitCode::SUCCESS,
        Err(error) => {
            let code = fail(&error.to_string(), error.exit_code());
            if let Some(hint) = error.hint() {
                say("hint", hint);
            }
            code
        }
    }
}

async fn run(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Dev(arguments) => dev::run(arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Repair(arguments) => repair::run(arguments).await,
        Command::Route(arguments) => route::run(arguments).await,
        Command::Recover(arguments) => recover::run(arguments).await,
        Command::Get(arguments) => client_commands::get(arguments).await,
        Command::Put(arguments) => client_commands::put(arguments).await,
        Command::Delete(arguments) => client_commands::delete(arguments).await,
        Command::List(arguments) => client_commands::list(arguments).await,
        Command::Txn(arguments) => client_commands::transact(arguments).await,
        Command::History(arguments) => client_commands::history(arguments).await,
        Command::Compact(arguments) => client_commands::compact(arguments).await,
        Command::Settings(arguments) => client_commands::settings(arguments).await,
        Command::Member(arguments) => client_commands::member(arguments).await,
        Command::Status(arguments) => client_commands::status(arguments).await,
        Command::Health(arguments) => client_commands::health(arguments).await,
        Command::Top(arguments) => top::run(arguments).await,
        Command::Leader(arguments) => client_commands::leader(arguments).await,
        Command::Session(arguments) => client_commands::session(arguments).await,
        Command::Completions(arguments) => documentation::completions(&arguments),
        Command::Man(arguments) => documentation::man(&arguments),
        Command::Config => documentation::config(),
    }
}

/// Half of the cores: a request costs less processor time than it costs to wake another thread for it, and
/// the storage workers, the kernel and, on one machine, the other nodes want cores too. On two cores, one
/// thread made three nodes 20 to 50 % faster at puts than two.
fn worker_threads_default() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / 2).max(1)
}

/// A panic is a broken invariant. One node must not go on in an unknown state, so the process ends.
fn stop_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

fn fail(message: &str, code: ExitCode) -> ExitCode {
    say("error", message);
    code
}

fn say(what: &str, message: &str) {
    // Nothing can be done if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{what}: {message}");
}
