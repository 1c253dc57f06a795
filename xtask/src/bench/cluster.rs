//! A cluster of real processes on loopback: ours or a peer's.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::bench::addresses::free_addresses;
use crate::bench::http_probe::request;
use crate::bench::usage::usage_of;
use crate::error::Error;
use crate::process::{send_signal, wait_within};

/// How long a cluster may take until every member serves.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long a member that was asked to end may take.
const END_LIMIT: Duration = Duration::from_secs(20);
/// How long a question to a member may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// How often a member is asked whether it serves. Short, because one bench measures that time.
const PROBE_INTERVAL: Duration = Duration::from_millis(1);

/// A store and its program.
#[derive(Clone, Debug)]
pub enum System {
    /// Ours.
    Quorate(PathBuf),
    /// etcd.
    Etcd(PathBuf),
}

impl System {
    /// What it is called in tables, and by the load generator.
    pub fn name(&self) -> &'static str {
        match self {
            System::Quorate(_) => "quorate",
            System::Etcd(_) => "etcd",
        }
    }
}

/// A cluster of real processes. Those that still run are killed when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    system: System,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    /// Counted from 1.
    number: usize,
    data: PathBuf,
    log: PathBuf,
    client_address: SocketAddr,
    peer_address: SocketAddr,
    /// Whether it joined the cluster when that was there already.
    joined: bool,
    child: Option<Child>,
}

impl Cluster {
    /// Starts `size` members with empty data directories below `folder` and waits until all serve.
    pub fn start(system: &System, folder: &Path, size: usize) -> Result<Cluster, Error> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(Error::file("removing", folder))?;
        }
        std::fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
        let mut addresses = free_addresses(2 * size)?.into_iter();
        let mut member = |number| -> Option<Member> {
            Some(Member {
                number,
                data: folder.join(format!("data-{number}")),
                log: folder.join(format!("log-{number}.txt")),
                client_address: addresses.next()?,
                peer_address: addresses.next()?,
                joined: false,
                child: None,
            })
        };
        let members =
            (1..=size).map(|number| member(number).expect("there are two addresses a member")).collect();
        let mut cluster = Cluster { system: system.clone(), members };
        for index in 0..size {
            cluster.spawn(index)?;
        }
        for index in 0..size {
            cluster.wait_ready(index)?;
        }
        Ok(cluster)
    }

    /// Starts one member more, of ours, with an empty data directory below `folder`, that asks the others to be
    /// added. Does not wait for anything.
    pub fn start_joining(&mut self, folder: &Path) -> Result<(), Error> {
        let number = self.members.len() + 1;
        let addresses = free_addresses(2)?;
        self.members.push(Member {
            number,
            data: folder.join(format!("data-{number}")),
            log: folder.join(format!("log-{number}.txt")),
            client_address: addresses[0],
            peer_address: addresses[1],
            joined: true,
            child: None,
        });
        self.spawn(number - 1)
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// Where the members serve clients.
    pub fn client_addresses(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.client_address).collect()
    }

    /// Processor time that all running members have used, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64, Error> {
        self.usages().map(|usages| usages.iter().map(|usage| usage.cpu_seconds).sum())
    }

    /// Memory that each running member has resident, in KiB.
    pub fn resident_kib(&self) -> Result<Vec<u64>, Error> {
        self.usages().map(|usages| usages.iter().map(|usage| usage.resident_kib).collect())
    }

    /// The processes of the members that run.
    pub fn processes(&self) -> Vec<u32> {
        self.members.iter().filter_map(|member| member.child.as_ref()).map(Child::id).collect()
    }

    fn usages(&self) -> Result<Vec<crate::bench::usage::Usage>, Error> {
        let children = self.members.iter().filter_map(|member| member.child.as_ref());
        children
            .map(|child| {
                let process = child.id().to_string();
                usage_of(&process).map_err(|source| Error::Process { action: "measuring", process, source })
            })
            .collect()
    }

    /// The member that leads, by the first of the running ones that knows.
    pub fn leader(&self) -> Result<usize, Error> {
        let deadline = Instant::now() + READY_LIMIT;
        while Instant::now() < deadline {
            for member in self.members.iter().filter(|member| member.child.is_some()) {
                if let Some(index) = self.leader_by(member) {
                    return Ok(index);
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = self.members[0].log.clone();
        Err(Error::NotReady { what: format!("a leader of {}", self.system.name()), limit: READY_LIMIT, log })
    }

    fn leader_by(&self, member: &Member) -> Option<usize> {
        match &self.system {
            System::Quorate(_) => {
                let answer = request(member.client_address, "GET", "/v1/cluster", "", PROBE_LIMIT).ok()?;
                let status: Value = serde_json::from_str(&answer.body).ok()?;
                let number: usize = status["leader"]["member"].as_str()?.parse().ok()?;
                number.checked_sub(1).filter(|&index| index < self.members.len())
            }
            System::Etcd(_) => self.members.iter().position(|member| {
                let path = "/v3/maintenance/status";
                let answer = request(member.client_address, "POST", path, "{}", PROBE_LIMIT);
                let status: Option<Value> =
                    answer.ok().and_then(|answer| serde_json::from_str(&answer.body).ok());
                status.is_some_and(|status| {
                    status["leader"].is_string() && status["leader"] == status["header"]["member_id"]
                })
            }),
        }
    }

    /// Ends a member at once, as a crash of its process would.
    pub fn kill(&mut self, index: usize) -> Result<Instant, Error> {
        let member = &mut self.members[index];
        let Some(mut child) = member.child.take() else { return Ok(Instant::now()) };
        send_signal(&child, Signal::KILL)?;
        let killed = Instant::now();
        child.wait().map_err(process_error("waiting for", member.number))?;
        Ok(killed)
    }

    /// Asks a member to end and waits for it.
    pub fn terminate(&mut self, index: usize) -> Result<(), Error> {
        let member = &mut self.members[index];
        let Some(mut child) = member.child.take() else { return Ok(()) };
        send_signal(&child, Signal::TERM)?;
        let ended =
            wait_within(&mut child, END_LIMIT).map_err(process_error("waiting for", member.number))?;
        if ended.is_none() {
            println!(
                "{} {} ignored SIGTERM for {END_LIMIT:?}; killing it",
                self.system.name(),
                member.number
            );
            child.kill().map_err(process_error("killing", member.number))?;
            child.wait().map_err(process_error("waiting for", member.number))?;
        }
        Ok(())
    }

    /// Starts a member that has ended, on the data that it left.
    pub fn spawn(&mut self, index: usize) -> Result<(), Error> {
        let mut command = match &self.system {
            System::Quorate(program) => self.quorate_command(program, index),
            System::Etcd(program) => self.etcd_command(program, index),
        };
        let member = &mut self.members[index];
        let log = File::options()
            .create(true)
            .append(true)
            .open(&member.log)
            .map_err(Error::file("opening", &member.log))?;
        let log_too = log.try_clone().map_err(Error::file("opening", &member.log))?;
        command.stdin(Stdio::null()).stdout(log).stderr(log_too);
        let child = command.spawn().map_err(|source| Error::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        member.child = Some(child);
        Ok(())
    }

    /// Waits until a member serves.
    pub fn wait_ready(&mut self, index: usize) -> Result<(), Error> {
        let name = self.system.name();
        let (path, is_ready): (_, fn(&str) -> bool) = match self.system {
            System::Quorate(_) => ("/readyz", |_| true),
            System::Etcd(_) => ("/health", |body| body.contains("true")),
        };
        let member = &mut self.members[index];
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let answer = request(member.client_address, "GET", path, "", PROBE_LIMIT);
            if answer.is_ok_and(|answer| answer.status == 200 && is_ready(&answer.body)) {
                return Ok(());
            }
            let child = member.child.as_mut().expect("only members that were started are waited for");
            let ended = child.try_wait().map_err(process_error("waiting for", member.number))?;
            if let Some(status) = ended {
                member.child = None;
                let program = format!("{name} {} (its log is {})", member.number, member.log.display());
                return Err(Error::Failed { program, status });
            }
            if Instant::now() > deadline {
                let what = format!("{name} {}", member.number);
                return Err(Error::NotReady { what, limit: READY_LIMIT, log: member.log.clone() });
            }
            std::thread::sleep(PROBE_INTERVAL);
        }
    }

    /// Asks every member to end and waits for all of them.
    pub fn stop(mut self) -> Result<(), Error> {
        (0..self.size()).try_for_each(|index| self.terminate(index))
    }

    fn quorate_command(&self, program: &Path, index: usize) -> Command {
        let member = &self.members[index];
        let initial = self.members.iter().filter(|member| !member.joined);
        let (option, others): (_, Vec<String>) = match member.joined {
            true => ("--join", initial.map(|other| other.peer_address.to_string()).collect()),
            false => {
                let named = |other: &Member| format!("{}={}", other.number, other.peer_address);
                ("--initial-cluster", initial.map(named).collect())
            }
        };
        let mut command = Command::new(program);
        command
            .args(["serve", "--id", &member.number.to_string(), "--data-dir"])
            .arg(&member.data)
            .args(["--listen", &member.client_address.to_string()])
            .args(["--peer-listen", &member.peer_address.to_string()])
            .args([option, &others.join(",")]);
        command
    }

    fn etcd_command(&self, program: &Path, index: usize) -> Command {
        let member = &self.members[index];
        let url = |address: SocketAddr| format!("http://{address}");
        let others = |other: &Member| format!("member-{}={}", other.number, url(other.peer_address));
        let initial_cluster: Vec<String> = self.members.iter().map(others).collect();
        let mut command = Command::new(program);
        command
            .args(["--name", &format!("member-{}", member.number), "--data-dir"])
            .arg(&member.data)
            .args(["--listen-client-urls", &url(member.client_address)])
            .args(["--advertise-client-urls", &url(member.client_address)])
            .args(["--listen-peer-urls", &url(member.peer_address)])
            .args(["--initial-advertise-peer-urls", &url(member.peer_address)])
            .args(["--initial-cluster", &initial_cluster.join(",")])
            .args(["--initial-cluster-state", "new"]);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.members.iter_mut().filter_map(|member| member.child.as_mut()) {
            // An early end is an error that is already on its way; there is nobody else to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn process_error(action: &'static str, number: usize) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Process { action, process: format!("member {number}"), source }
}
