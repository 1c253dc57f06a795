//! Building the load generator and running it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::bench::cluster::{Cluster, System};
use crate::bench::load_report::LoadReport;
use crate::cargo::{cargo, run};
use crate::error::Error;
use crate::workspace::Workspace;

/// What the load generator is called.
const PROGRAM: &str = "quorate-load";

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
    /// Read a random hundred of neighbouring keys, linearizably.
    Range,
    /// Put random keys that exist, in transactions that compare their revision.
    Transaction,
    /// Put and read random keys in turns.
    Mixed,
    /// Put every key once.
    Load,
}

impl Operation {
    /// Its name for the load generator and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Put => "put",
            Operation::Get => "get",
            Operation::Range => "range",
            Operation::Transaction => "transaction",
            Operation::Mixed => "mixed",
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
    /// The number of the first of them.
    pub first_key: u64,
    /// What keys begin with.
    pub key_prefix: &'static str,
    /// How many keys are loaded by one request.
    pub batch: u64,
    /// How many operations are sent a second; as many as possible if it is not said.
    pub rate: Option<f64>,
    /// Whether clients that are refused try again soon instead of waiting as long as they are told to.
    pub impatient: bool,
    /// Whether clients use the client library, which knows all members, instead of a connection to one.
    pub by_client_library: bool,
    /// Whether all clients ask the leader instead of all members in turn.
    pub at_leader: bool,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            operation: Operation::Put,
            clients: 64,
            connections: None,
            seconds: 5.0,
            value_bytes: 256,
            keys: 10_000,
            first_key: 0,
            key_prefix: "bench-",
            batch: 1,
            rate: None,
            impatient: false,
            by_client_library: false,
            at_leader: false,
        }
    }
}

/// A run of the load generator that is under way.
#[derive(Debug)]
pub struct RunningLoad {
    child: Child,
}

impl RunningLoad {
    /// Ends it before its time.
    pub fn end(mut self) -> Result<LoadReport, Error> {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<LoadReport, Error> {
        // Waiting closes the input of a child that still has it, which would end this one.
        let _input = self.child.stdin.take();
        let process_error =
            |source| Error::Process { action: "waiting for", process: PROGRAM.to_owned(), source };
        let output = self.child.wait_with_output().map_err(process_error)?;
        if !output.status.success() {
            return Err(Error::Failed { program: PROGRAM.to_owned(), status: output.status });
        }
        serde_json::from_slice(&output.stdout).map_err(Error::malformed("the load generator's report"))
    }
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
        self.start(cluster, system, load)?.wait()
    }

    /// Starts it against a cluster. What is begun has to be waited for.
    pub fn start(&self, cluster: &Cluster, system: &System, load: &Load) -> Result<RunningLoad, Error> {
        let addresses = cluster.client_addresses();
        let addresses = if load.at_leader { vec![addresses[cluster.leader()?]] } else { addresses };
        self.start_at(&addresses, system, load)
    }

    fn start_at(&self, addresses: &[SocketAddr], system: &System, load: &Load) -> Result<RunningLoad, Error> {
        let mut command = Command::new(&self.program);
        command
            .args(["--target", if load.by_client_library { "quorate-library" } else { system.name() }])
            .args(["--operation", load.operation.name()])
            .args(["--clients", &load.clients.to_string()])
            .args(["--seconds", &load.seconds.to_string()])
            .args(["--value-bytes", &load.value_bytes.to_string()])
            .args(["--keys", &load.keys.to_string()])
            .args(["--first-key", &load.first_key.to_string()])
            .args(["--key-prefix", load.key_prefix])
            .args(["--batch", &load.batch.to_string()]);
        let endpoints: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        let endpoints = if load.by_client_library { vec![endpoints.join(",")] } else { endpoints };
        for endpoint in endpoints {
            command.args(["--endpoint", &endpoint]);
        }
        if let Some(connections) = load.connections {
            command.args(["--connections", &connections.to_string()]);
        }
        if let Some(rate) = load.rate {
            command.args(["--rate", &rate.to_string()]);
        }
        if load.impatient {
            command.arg("--impatient");
        }
        // Dropping its input would end it, so it is held until then.
        let child = command
            .arg("--until-input-ends")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|source| Error::Start { program: PROGRAM.to_owned(), source })?;
        Ok(RunningLoad { child })
    }
}

fn is_protoc_there() -> bool {
    let program = std::env::var_os("PROTOC").unwrap_or_else(|| "protoc".into());
    let status = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
