//! `quorate dev`: three nodes in one process, to try things out.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use quorate_environment::{Environment, TokioEnvironment};
use quorate_replica::RepairPolicy;
use tokio::io::AsyncWriteExt;

use crate::arguments::DevArguments;
use crate::configuration::{
    HEARTBEAT_INTERVAL_MS_DEFAULT, NodeConfiguration, SCRUB_BYTES_PER_SECOND_DEFAULT,
};
use crate::dialect_addresses;
use crate::error::CommandError;
use crate::node::Node;
use crate::signals::StopSignals;

/// How many nodes there are.
const NODES: u16 = 3;
/// Peers listen this far above the HTTP ports.
const PEER_PORT_OFFSET: u16 = 100;
/// How long the nodes may take to elect a leader before the user is told anyway.
const READY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

/// Runs three nodes until asked to stop or until one cannot go on.
pub async fn run(arguments: DevArguments) -> Result<(), CommandError> {
    let stop = StopSignals::catch().map_err(CommandError::Signals)?;
    let data_directory = match arguments.data_dir {
        Some(directory) => directory,
        None => default_data_directory()?,
    };
    let dialects = dialect_addresses::of_nodes::<{ NODES as usize }>(&arguments.dialect)?;
    let mut nodes = Vec::new();
    for (member, dialects) in (1..=NODES).zip(dialects) {
        let configuration =
            NodeConfiguration { dialects, ..configuration(member, arguments.port, &data_directory) };
        nodes.push(Node::start(configuration).await?);
    }
    tokio::select! {
        biased;
        () = stop.requested() => {}
        error = serve(&nodes, &data_directory) => return Err(error),
    }
    tokio::io::stdout().write_all(b"\nStopping. The data stays where it is.\n").await?;
    // All at once and without handing leadership over: nobody stays to take it.
    futures::future::join_all(nodes.into_iter().map(Node::stop_with_the_cluster)).await;
    Ok(())
}

/// Greets the user when the nodes are ready. Resolves when one of them cannot go on, be it before that.
async fn serve(nodes: &[Node], data_directory: &Path) -> CommandError {
    let greet = async {
        await_ready(nodes).await;
        tokio::io::stdout().write_all(welcome(nodes, data_directory).as_bytes()).await
    };
    let mut failed = futures::future::select_all(nodes.iter().map(|node| Box::pin(node.failed())));
    tokio::select! {
        biased;
        (error, ..) = &mut failed => return error.into(),
        greeted = greet => {
            if let Err(error) = greeted {
                return error.into();
            }
        }
    }
    failed.await.0.into()
}

fn default_data_directory() -> Result<PathBuf, CommandError> {
    let directories = ProjectDirs::from("", "", "quorate").ok_or(CommandError::NoDataDirectory)?;
    Ok(directories.data_dir().join("dev"))
}

fn configuration(member: u16, first_port: u16, data_directory: &Path) -> NodeConfiguration {
    let address = |number: u16, offset: u16| format!("127.0.0.1:{}", first_port + number - 1 + offset);
    NodeConfiguration {
        member: u64::from(member),
        data_directory: data_directory.join(format!("node-{member}")),
        listen: address(member, 0),
        peer_listen: address(member, PEER_PORT_OFFSET),
        advertise_url: None,
        advertise_peer: None,
        initial_cluster: (1..=NODES)
            .map(|number| (u64::from(number), address(number, PEER_PORT_OFFSET)))
            .collect(),
        join: Vec::new(),
        learner: false,
        force_new: false,
        heartbeat_interval_ms: HEARTBEAT_INTERVAL_MS_DEFAULT,
        clock_drift_max_ppm: None,
        avoid_leading: false,
        repair: RepairPolicy::Automatic,
        scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND_DEFAULT,
        dialects: Vec::new(),
    }
}

/// Waits until every node can serve, so that what is printed works when it is read.
async fn await_ready(nodes: &[Node]) {
    let environment = TokioEnvironment::new();
    let deadline = environment.now() + READY_TIMEOUT;
    for node in nodes {
        if node.replica().ready(deadline).await.is_err() {
            tracing::warn!(node = node.url, "this node is not ready yet; it will say so at /readyz");
        }
    }
}

fn welcome(nodes: &[Node], data_directory: &Path) -> String {
    let mut text = String::from("Quorate is running: three nodes, any of them answers any request.\n\n");
    for node in nodes {
        writeln!(text, "  {}", node.url).expect("writing to a string cannot fail");
        for (dialect, url) in &node.dialects {
            writeln!(text, "    {} at {url}", dialect.name()).expect("writing to a string cannot fail");
        }
    }
    let [first, second, third] = [&nodes[0].url, &nodes[1].url, &nodes[2].url];
    write!(
        text,
        "\nData: {}\n\nTry:\n  \
         curl -X PUT --data-binary 'hello' {first}/v1/kv/greeting\n  \
         curl {second}/v1/kv/greeting\n  \
         curl {third}/v1/cluster\n\nCtrl-C stops.\n",
        data_directory.display()
    )
    .expect("writing to a string cannot fail");
    text
}
