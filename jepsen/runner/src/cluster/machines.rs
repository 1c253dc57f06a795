//! Machines with addresses of their own, on a network of their own.
//!
//! Each machine is a network namespace, joined by a cable (a veth pair) to the one in which the runner is, with its
//! clients. The runner's is the router between them: what one node sends to another is *forwarded* there, where the
//! rules of a fault find it, and what clients send is not. So a node that is cut off from its peers still hears its
//! clients, which is when stores answer what they must not.
//!
//! Without isolation (see [`crate::isolation`]) the machines are addresses of the loopback device.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::launch::Launch;
use crate::error::HarnessError;
use crate::tool::run_tool;

/// The address of the router, which is the clients'.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// A network namespace, and the process that holds it until it is dropped.
struct Namespace {
    process: Child,
    id: u32,
}

/// As many machines as a cluster has nodes, numbered from 1.
pub struct Machines {
    /// Empty on loopback.
    namespaces: Vec<Namespace>,
    network: [u8; 3],
}

impl Machines {
    /// Machines that are joined by cables; what calls this is in a network namespace of its own.
    ///
    /// # Errors
    ///
    /// What the system refused.
    pub async fn with_cables(count: u8) -> Result<Self, HarnessError> {
        run_tool("ip", "link set lo up").await?;
        let router = format!("addr add {ROUTER}/32 dev lo");
        run_tool("ip", &router).await?;
        // What comes back from a relay has an address that is somewhere else.
        for (name, value) in
            [("ip_forward", "1"), ("conf/all/rp_filter", "0"), ("conf/default/rp_filter", "0")]
        {
            let path = format!("/proc/sys/net/ipv4/{name}");
            std::fs::write(&path, value).map_err(HarnessError::system(format!("writing {path}")))?;
        }
        let mut machines = Self { namespaces: Vec::new(), network: [10, 77, 0] };
        for number in 1..=count {
            let namespace = Namespace::new().await?;
            let (address, owner) = (machines.address(number), namespace.id);
            run_tool("ip", &format!("link add cable{number} type veth peer name cable netns {owner}"))
                .await?;
            run_tool("ip", &format!("link set cable{number} up")).await?;
            run_tool("ip", &format!("route add {address}/32 dev cable{number} src {ROUTER}")).await?;
            namespace.ip(&format!("addr add {address}/32 dev cable")).await?;
            namespace.ip("link set cable up").await?;
            namespace.ip(&format!("route add default via {ROUTER} dev cable onlink")).await?;
            machines.namespaces.push(namespace);
        }
        Ok(machines)
    }

    /// Machines that are addresses of the loopback device.
    pub fn on_loopback() -> Self {
        // Runs that go on side by side are not in each other's way.
        let [.., high, low] = std::process::id().to_be_bytes();
        Self { namespaces: Vec::new(), network: [127, high, low] }
    }

    /// The address of a machine.
    pub fn address(&self, machine: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, machine)
    }

    /// The command that runs a program on a machine.
    pub fn command(&self, machine: u8, launch: &Launch) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(namespace) = self.namespaces.get(usize::from(machine).wrapping_sub(1)) {
            words.push("nsenter".into());
            words.push(format!("--net=/proc/{}/ns/net", namespace.id).into());
            words.push("--".into());
        } else {
            // No namespace of processes takes it down if the runner is killed.
            words.extend(["setpriv", "--pdeathsig", "KILL", "--"].map(OsString::from));
        }
        // None of them makes another process: the node has the number that is ours to kill.
        words.push("env".into());
        for (name, value) in &launch.environment {
            let mut word = OsString::from(format!("{name}="));
            word.push(value);
            words.push(word);
        }
        words.push(launch.program.clone().into_os_string());
        words.extend(launch.arguments.iter().cloned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

impl Namespace {
    async fn new() -> Result<Self, HarnessError> {
        // It ends when its standard input does, and that ends with this process.
        let mut process = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(HarnessError::system("starting unshare"))?;
        let output = process.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .await
            .map_err(HarnessError::system("reading of unshare"))?;
        if line != "ready\n" {
            return Err(HarnessError::Nonsense("unshare gave no network namespace".into()));
        }
        let id = process.id().expect("it has not been waited for");
        Ok(Self { process, id })
    }

    async fn ip(&self, arguments: &str) -> Result<(), HarnessError> {
        debug_assert_eq!(self.process.id(), Some(self.id));
        run_tool("nsenter", &format!("--net=/proc/{}/ns/net -- ip {arguments}", self.id)).await
    }
}
