//! Machines with addresses of their own, on a network of their own.
//!
//! Each machine is a network namespace, joined by a cable (a veth pair) to a switch (a bridge) that stands in one
//! more, from where clients talk to them. So all nodes may use the same ports, a moved node really has another
//! address, and a cable can be pulled out. All of it belongs to processes that end with the test, whatever becomes
//! of it, and the system takes it down with them.
//!
//! That takes root. Without it the machines are addresses of the loopback device, with cables that cannot be pulled.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use super::Process;

/// The port of a node for clients, on every machine.
pub const CLIENT_PORT: u16 = 7801;
/// The port of a node for its peers, on every machine.
pub const PEER_PORT: u16 = 7901;

/// A process that does nothing but hold a network namespace, as long as this one lives.
struct Namespace(Process);

impl Namespace {
    /// A new one, if this system gives us any.
    fn new() -> Option<Self> {
        // It ends when its standard input does, and that ends with this process.
        let child = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut process = Process(child);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take()?).read_line(&mut line).ok()?;
        (line == "ready\n").then_some(Self(process))
    }

    fn id(&self) -> String {
        self.0.0.id().to_string()
    }

    /// A command that runs in there.
    fn entered(&self, command: Command) -> Command {
        let mut entering = Command::new("nsenter");
        entering.arg(format!("--net=/proc/{}/ns/net", self.id())).arg("--").arg(command.get_program());
        entering.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => entering.env(name, value),
                None => entering.env_remove(name),
            };
        }
        entering.stdin(Stdio::null());
        entering
    }

    fn ip(&self, arguments: &str) {
        let mut command = Command::new("ip");
        command.args(arguments.split(' '));
        let status = self.entered(command).status().expect("nsenter runs");
        assert!(status.success(), "ip {arguments}");
    }
}

/// Some machines and what joins them.
pub struct Machines {
    /// Where the switch and the clients are, and each machine; nothing on loopback.
    namespaces: Option<(Namespace, Vec<Namespace>)>,
    /// The part of the addresses that all share.
    network: [u8; 3],
}

impl Machines {
    /// As many machines as wanted, numbered from 1.
    pub fn new(count: u8) -> Self {
        let Some(switch) = Namespace::new() else {
            println!("no network namespaces here: machines are addresses of the loopback device");
            // Test binaries that run side by side are not in each other's way.
            let [.., high, low] = std::process::id().to_be_bytes();
            return Self { namespaces: None, network: [127, high, low] };
        };
        // Nobody else is on this network, so that any address will do.
        let network = [10, 77, 0];
        switch.ip("link add switch type bridge");
        switch.ip("addr add 10.77.0.254/24 dev switch");
        switch.ip("link set switch up");
        let machines = (1..=count).map(|number| {
            let machine = Namespace::new().expect("there was one for the switch");
            let owner = machine.id();
            switch.ip(&format!("link add cable{number} type veth peer name cable netns {owner}"));
            switch.ip(&format!("link set cable{number} master switch"));
            switch.ip(&format!("link set cable{number} up"));
            machine.ip(&format!("addr add 10.77.0.{number}/24 dev cable"));
            machine.ip("link set cable up");
            machine
        });
        let machines = machines.collect();
        Self { namespaces: Some((switch, machines)), network }
    }

    /// The address of a machine.
    pub fn address(&self, machine: u8) -> Ipv4Addr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, machine)
    }

    /// A command that runs on a machine.
    pub fn on(&self, machine: u8, command: Command) -> Command {
        match &self.namespaces {
            Some((_, machines)) => machines[usize::from(machine) - 1].entered(command),
            None => command,
        }
    }

    /// A command that runs where clients are.
    pub fn outside(&self, command: Command) -> Command {
        match &self.namespaces {
            Some((switch, _)) => switch.entered(command),
            None => command,
        }
    }

    /// Whether cables can be pulled out.
    pub fn have_cables(&self) -> bool {
        self.namespaces.is_some()
    }

    /// Pulls a machine's cable out of the switch.
    pub fn unplug(&self, machine: u8) {
        self.set_cable(machine, "down");
    }

    /// Puts it back.
    pub fn plug_in(&self, machine: u8) {
        self.set_cable(machine, "up");
    }

    fn set_cable(&self, machine: u8, state: &str) {
        let (switch, _) = self.namespaces.as_ref().expect("loopback has no cables");
        switch.ip(&format!("link set cable{machine} {state}"));
    }
}

/// Starts a command that gets no input, and whose output nobody reads.
pub fn spawn_silently(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the command starts")
}
