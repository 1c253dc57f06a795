//! A whole run, from the first process to the report.

mod blame;
mod folder;
mod harm;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::arguments::{Arguments, Target};
use crate::cluster::layer::Layer;
use crate::cluster::{Cluster, ClusterPlan};
use crate::convergence::{await_agreement, await_service, bring_back, while_bringing_back};
use crate::error::HarnessError;
use crate::history::Histories;
use crate::isolation::Isolation;
use crate::judge::judge;
use crate::nemesis::{Nemesis, catalogue};
use crate::report::{self, Convergence, NodeLog, RunRecord};
use crate::run_clock::RunClock;
use crate::say::say;
use crate::workload::{Plan, WorkloadName, Workloads};

pub use folder::abandon;

use blame::Blame;
use folder::{prepare_folder, remove_data};
use harm::{Harm, Outcome};

/// How long a new cluster may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long clients work before the first fault, and after the last one.
const QUIET: Duration = Duration::from_secs(2);

/// The exit code of a run that could not even be recorded.
pub const HARNESS_FAILED: u8 = 4;
/// The exit code of a command line that makes no sense.
pub const BAD_ARGUMENTS: u8 = 3;

/// What was chosen by a command line.
pub struct Choice {
    nemeses: Vec<Box<dyn Nemesis>>,
    workloads: Vec<WorkloadName>,
    left_out: Vec<String>,
}

impl Choice {
    /// What the arguments ask for, as far as it is possible here.
    ///
    /// # Errors
    ///
    /// A name that means nothing.
    pub fn of(arguments: &Arguments, isolation: &Isolation) -> Result<Self, String> {
        let workloads = Plan::choose(&arguments.workload, arguments.target)?;
        let mut left_out = Vec::new();
        if let Isolation::Shared { why } = isolation {
            left_out.push(format!("nodes share one machine: {why}"));
        }
        let mut nemeses = Vec::new();
        for nemesis in catalogue::choose(&arguments.nemesis)? {
            if !nemesis.suits(arguments.target) {
                continue;
            }
            match nemesis.obstacle(isolation.is_isolated()) {
                Some(why) => left_out.push(format!("{}: {why}", nemesis.name())),
                None => nemeses.push(nemesis),
            }
        }
        Ok(Self { nemeses, workloads, left_out })
    }
}

/// Does all of it and gives the exit code. What it says goes to the standard output.
///
/// # Errors
///
/// The harness failed before there was anything to report.
pub async fn run(arguments: &Arguments, choice: Choice, isolation: &Isolation) -> Result<u8, HarnessError> {
    let Choice { mut nemeses, workloads, left_out } = choice;
    for line in &left_out {
        say(format_args!("left out: {line}"));
    }
    let folder = prepare_folder(&arguments.output)?;
    let program = find_program(arguments)?;
    let (clock, began) = (RunClock::start(), SystemTime::now());
    let version = version_of(arguments.target, &program).await?;
    let plan = ClusterPlan {
        target: arguments.target,
        program,
        size: arguments.nodes,
        isolated: isolation.is_isolated(),
        folder: folder.clone(),
        layers: layers_of(&nemeses),
    };
    let cluster = Cluster::new(plan, clock).await?;
    bring_back(&cluster).await?;
    cluster.await_serving(&cluster.nodes(), START_LIMIT).await?;
    say(format_args!(
        "{} nodes of {version} serve after {:.1} s",
        arguments.nodes,
        clock.elapsed().as_secs_f64()
    ));

    let Observed { outcome, histories, ended, convergence } =
        observe(&cluster, arguments, workloads, &mut nemeses).await?;
    let mut harness_failures = outcome.failures;
    end_all(&cluster, &folder, arguments.keep_data, &mut harness_failures).await;
    let mut record = RunRecord {
        arguments: arguments.clone(),
        command: command_line(),
        version,
        began,
        ended,
        faults: outcome.faults,
        left_out,
        convergence,
        harness_failures,
        logs: logs_of(&cluster),
    };
    say("judging");
    // On a thread of its own: it takes its time, and signals are to be heard meanwhile.
    let judging = tokio::task::spawn_blocking(move || {
        report::write_histories(&histories, &record.faults, &folder)?;
        let judgement = judge(&histories, &record.faults);
        record.harness_failures.extend(judgement.failures.iter().cloned());
        say(report::write(&record, &histories, &judgement, &folder)?);
        say(format_args!("report: {}", folder.join("report.html").display()));
        Ok(record.exit_code(&judgement))
    });
    judging.await.map_err(|error| HarnessError::Nonsense(format!("judging: {error}")))?
}

/// What was seen of a cluster, from the first client to the agreement at the end.
struct Observed {
    outcome: Outcome,
    histories: Histories,
    /// When clients had ended, in nanoseconds of the run.
    ended: u64,
    convergence: Convergence,
}

/// Lets clients work and faults strike, heals all, and waits until the cluster is as it should be.
async fn observe(
    cluster: &Cluster,
    arguments: &Arguments,
    workloads: Vec<WorkloadName>,
    nemeses: &mut [Box<dyn Nemesis>],
) -> Result<Observed, HarnessError> {
    let clock = cluster.clock();
    let clients = Plan {
        addresses: cluster.nodes().into_iter().map(|node| cluster.client_address(node)).collect(),
        target: arguments.target,
        workloads,
        seed: arguments.seed,
        rate: arguments.rate,
    };
    let end = clock.elapsed() + Duration::from_secs(arguments.seconds).saturating_sub(QUIET);
    let working = Workloads::start(clients, clock);
    tokio::time::sleep(QUIET).await;
    let mut harm = Harm::new(cluster, nemeses, ChaCha8Rng::seed_from_u64(arguments.seed));
    harm.go_on_until(end, &working).await;
    let mut outcome = harm.finish().await;

    let healed = clock.now();
    let coming_back = async {
        let served = await_service(cluster).await;
        tokio::time::sleep(QUIET).await;
        let (histories, unanswered) = working.end().await;
        let ended = clock.now();
        let convergence = match served {
            Ok(()) => await_agreement(cluster, healed).await.unless_silent(&unanswered),
            Err(error) => Convergence::NotReached { why: error.to_string() },
        };
        (histories, ended, convergence)
    };
    let ((mut histories, ended, convergence), brought_back) = while_bringing_back(cluster, coming_back).await;
    if let Err(error) = brought_back {
        outcome.failures.push(error.to_string());
    }
    let late = std::mem::take(&mut outcome.convictions);
    let blame = Blame::of(late, cluster.unexplained_ends().await, &logs_of(cluster), ended);
    outcome.failures.extend(blame.harness);
    histories.convictions.extend(blame.store);
    Ok(Observed { outcome, histories, ended, convergence })
}

fn logs_of(cluster: &Cluster) -> Vec<NodeLog> {
    let log = |node| NodeLog { node, path: cluster.log_file(node).to_owned() };
    cluster.nodes().into_iter().map(log).collect()
}

/// What the nemeses need between nodes and machines. Several may share one layer, which is there once.
fn layers_of(nemeses: &[Box<dyn Nemesis>]) -> Vec<Arc<dyn Layer>> {
    let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
    for layer in nemeses.iter().flat_map(|nemesis| nemesis.layers()) {
        if !layers.iter().any(|other| Arc::ptr_eq(other, &layer)) {
            layers.push(layer);
        }
    }
    layers
}

/// Ends all nodes, and removes what they have stored.
async fn end_all(cluster: &Cluster, folder: &Path, keep_data: bool, failures: &mut Vec<String>) {
    for node in cluster.nodes() {
        if let Err(error) = cluster.kill(node).await {
            failures.push(error.to_string());
        }
    }
    if !keep_data && let Err(error) = remove_data(folder) {
        failures.push(format!("removing the data of nodes: {error}"));
    }
}

fn find_program(arguments: &Arguments) -> Result<PathBuf, HarnessError> {
    let Some(program) = &arguments.program else {
        return Ok(match arguments.target {
            Target::Quorate => "quorate".into(),
            Target::Etcd => "etcd".into(),
        });
    };
    program.canonicalize().map_err(HarnessError::system(format!("finding {}", program.display())))
}

async fn version_of(target: Target, program: &Path) -> Result<String, HarnessError> {
    let text = crate::tool::tool_output(&program.to_string_lossy(), "--version", "").await?;
    let line = text.lines().next().unwrap_or_default();
    Ok(match target {
        Target::Quorate => line.to_owned(),
        Target::Etcd => line.replace("etcd Version: ", "etcd "),
    })
}

/// The command that runs this again.
fn command_line() -> String {
    let words = std::iter::once("cargo xtask jepsen run".to_owned()).chain(std::env::args().skip(1));
    words.collect::<Vec<_>>().join(" ")
}
