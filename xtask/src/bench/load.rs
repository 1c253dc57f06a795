//! Building the load generator and running it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::bench::cluster::{Cluster, System};
use crate::bench::load_report::LoadReport;
use crate::cargo::{cargo, run};
use crate::error::Error;
use crate::workspace::Workspace;

/// The load generator's program.
#[derive(Debug)]
pub struct LoadGenerator {
    program: PathBuf,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Put random keys.
    Put,
    /// Read random keys that exist, linearizably.
    Get,
    /// Put every key once.
    Load,
}

impl Operation {
    /// Its name for the load generator and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Put => "put",
            Operation::Get => "get",
            Operation::Load => "load",
        }
    }
}

/// One run of the load generator.
#[derive(Clone, Debug)]
pub struct Load {
    /// What the clients do.
    pub operation: Operation,
    /// How many clients.
    pub clients: u64,
    /// How many connections they share; `None` gives each its own.
    pub connections: Option<u64>,
    /// How long it is measured, after one second that is not.
    pub seconds: f64,
    /// The bytes of each value.
    pub value_bytes: u64,
    /// How many keys there are.
    pub keys: u64,
    /// Whether all clients ask the leader instead of all members in turn.
    pub at_leader: bool,
}

impl LoadGenerator {
    /// Builds it, with the peer's client if `with_etcd`.
    pub fn build(workspace: &Workspace, with_etcd: bool) -> Result<LoadGenerator, Error> {
        if with_etcd && !is_protoc_there() {
            return Err(Error::Missing {
                what: "protoc".to_owned(),
                remedy: "etcd's client needs it to build; on Debian: apt-get install protobuf-compiler"
                    .to_owned(),
            });
        }
        let features = if with_etcd { "etcd" } else { "bench" };
        run(cargo(workspace).args([
            "build",
            "--quiet",
            "--release",
            "--package",
            "xtask",
            "--bin",
            "quorate-load",
            "--features",
            features,
        ]))?;
        Ok(LoadGenerator { program: workspace.target.join("release/quorate-load") })
    }

    /// Runs it against a cluster, to its end.
    pub fn run(&self, cluster: &Cluster, system: &System, load: &Load) -> Result<LoadReport, Error> {
        let addresses = cluster.client_addresses();
        let addresses = if load.at_leader { vec![addresses[cluster.leader()?]] } else { addresses };
        self.run_at(&addresses, system, load)
    }

    fn run_at(&self, addresses: &[SocketAddr], system: &System, load: &Load) -> Result<LoadReport, Error> {
        let mut command = Command::new(&self.program);
        command
            .args(["--target", system.name()])
            .args(["--operation", load.operation.name()])
            .args(["--clients", &load.clients.to_string()])
            .args(["--seconds", &load.seconds.to_string()])
            .args(["--value-bytes", &load.value_bytes.to_string()])
            .args(["--keys", &load.keys.to_string()]);
        for address in addresses {
            command.args(["--endpoint", &address.to_string()]);
        }
        if let Some(connections) = load.connections {
            command.args(["--connections", &connections.to_string()]);
        }
        let program = "quorate-load".to_owned();
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .map_err(|source| Error::Start { program: program.clone(), source })?;
        if !output.status.success() {
            return Err(Error::Failed { program, status: output.status });
        }
        serde_json::from_slice(&output.stdout).map_err(Error::malformed("the load generator's report"))
    }
}

fn is_protoc_there() -> bool {
    let program = std::env::var_os("PROTOC").unwrap_or_else(|| "protoc".into());
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
