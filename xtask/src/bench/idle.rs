//! `cargo xtask bench idle`: what a cluster costs that nobody uses.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bench::http_probe::request;
use crate::bench::usage::{Usage, usage_of};
use crate::bench::{bench_folder, build_quorate};
use crate::error::Error;
use crate::process::{send_signal, wait_within};
use crate::workspace::Workspace;

/// The first of the ports to use: away from the default, where a user's own cluster may run.
const PORT: u16 = 17_801;
/// How many nodes `quorate dev` starts.
const NODES: u16 = 3;
/// How long the nodes may take until they serve.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How long the process may take to end.
const END_LIMIT: Duration = Duration::from_secs(20);
/// How long to let it settle before measuring.
const SETTLE: Duration = Duration::from_secs(3);

/// How `cargo xtask bench idle` is called.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How long to measure.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    quorate: Option<std::path::PathBuf>,
}

/// Starts `quorate dev`, leaves it alone, and prints its memory and its share of a core.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let program = build_quorate(workspace, arguments.quorate.as_deref())?;
    let folder = bench_folder(workspace, "idle");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))?;
    }
    std::fs::create_dir_all(&folder).map_err(Error::file("making", &folder))?;
    let mut child = Command::new(&program)
        .args(["dev", "--port", &PORT.to_string(), "--data-dir"])
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Start { program: program.display().to_string(), source })?;
    let measured = measure(&mut child, Duration::from_secs(arguments.seconds));
    end(&mut child)?;
    let (usage, share) = measured?;
    println!(
        "idle `quorate dev`: {:.1} MiB resident in all, {:.2} % of a core over {} s",
        usage.resident_kib as f64 / 1024.0,
        share * 100.0,
        arguments.seconds
    );
    std::fs::remove_dir_all(&folder).map_err(Error::file("removing", &folder))
}

/// What the process uses when idle, and which share of a core it takes.
fn measure(child: &mut Child, duration: Duration) -> Result<(Usage, f64), Error> {
    let stdout = child.stdout.take().expect("standard output was asked for as a pipe");
    // Read to the end, so that the process can always write; it ends with the process.
    std::thread::spawn(move || BufReader::new(stdout).lines().for_each(drop));
    for port in PORT..PORT + NODES {
        wait_ready(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    }
    std::thread::sleep(SETTLE);
    let process = child.id().to_string();
    let usage = || {
        usage_of(&process).map_err(|source| Error::Process {
            action: "measuring",
            process: process.clone(),
            source,
        })
    };
    let before = usage()?;
    let began = Instant::now();
    std::thread::sleep(duration);
    let after = usage()?;
    Ok((after, (after.cpu_seconds - before.cpu_seconds) / began.elapsed().as_secs_f64()))
}

fn wait_ready(address: SocketAddr) -> Result<(), Error> {
    let deadline = Instant::now() + READY_LIMIT;
    while Instant::now() < deadline {
        let answer = request(address, "GET", "/readyz", "", Duration::from_secs(1));
        if answer.is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Error::ChecksFailed(format!("`quorate dev` did not serve at {address} within {READY_LIMIT:?}")))
}

fn end(child: &mut Child) -> Result<(), Error> {
    let process_error =
        |action| move |source| Error::Process { action, process: "quorate dev".to_owned(), source };
    send_signal(child, Signal::TERM)?;
    if wait_within(child, END_LIMIT).map_err(process_error("waiting for"))?.is_none() {
        child.kill().map_err(process_error("killing"))?;
        child.wait().map_err(process_error("waiting for"))?;
        return Err(Error::ChecksFailed(format!("`quorate dev` ignored SIGTERM for {END_LIMIT:?}")));
    }
    Ok(())
}
