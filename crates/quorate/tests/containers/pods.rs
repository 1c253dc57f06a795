//! Containers as processes: each on a machine of its own, under the names that others know it by.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::image::image;
use crate::processes::machines::{CLIENT_PORT, Machines};
use crate::processes::{Process, eventually, quorate};

/// What is said of a container besides its image.
#[derive(Clone, Debug)]
pub struct Container {
    /// The names under which others reach it. The first is its own.
    pub names: Vec<String>,
    /// What its entry point gets.
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Where a volume is mounted that outlives it.
    pub mount: Option<String>,
}

impl Container {
    pub fn name(&self) -> &str {
        &self.names[0]
    }
}

/// Containers that run, on a network where nobody else is.
pub struct Pods {
    machines: Machines,
    folder: TempDir,
    running: BTreeMap<String, (u8, Vec<String>, Process)>,
}

impl Pods {
    /// A network of so many machines; nothing, and a line that says so, where there is no such thing.
    pub fn on_machines(count: u8) -> Option<Self> {
        let machines = Machines::new(count);
        if !machines.have_cables() {
            println!("skipped: no network namespaces here, in which containers could have their ports");
            return None;
        }
        let bind = ["--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"];
        if !Command::new("unshare").args(bind).output().is_ok_and(|output| output.status.success()) {
            println!("skipped: nothing can be mounted here, so that containers could not have names");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        Some(Self { machines, folder, running: BTreeMap::new() })
    }

    /// Where the names are looked up, on every machine.
    fn hosts(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }

    /// Starts a container on a machine. Its volume is there again if it ran before.
    pub fn start(&mut self, container: &Container, machine: u8) {
        let image = image();
        let mut environment = image.environment();
        environment.extend(container.environment.clone());
        let volume = environment.get_mut("QUORATE_DATA_DIR").expect("the image says where the data is");
        if let Some(mount) = &container.mount {
            assert_eq!(volume, mount, "data outside of the volume would be lost with the container");
        }
        *volume = self.folder.path().join(container.name()).display().to_string();
        assert_eq!(image.entry_point(), ["quorate"]);
        let mut command = self.in_container(machine, &container.arguments, &environment);
        let process = Process(command.stdout(Stdio::null()).spawn().expect("the container starts"));
        self.running.insert(container.name().to_owned(), (machine, container.names.clone(), process));
        self.write_names();
    }

    fn write_names(&self) {
        let mut text = "127.0.0.1 localhost\n".to_owned();
        for (machine, names, _) in self.running.values() {
            text.push_str(&format!("{} {}\n", self.machines.address(*machine), names.join(" ")));
        }
        // In place: it is mounted where programs look for it.
        std::fs::write(self.hosts(), text).expect("can be written");
    }

    /// `quorate` on a machine, where the names are known.
    fn in_container(
        &self,
        machine: u8,
        arguments: &[String],
        environment: &BTreeMap<String, String>,
    ) -> Command {
        let program = quorate();
        if !self.hosts().exists() {
            self.write_names();
        }
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", r#"mount --bind "$0" /etc/hosts && exec "$@""#]);
        command.arg(self.hosts()).arg(program.get_program()).args(arguments);
        for (name, _) in program.get_envs() {
            command.env_remove(name);
        }
        command.envs(environment);
        self.machines.on(machine, command)
    }

    /// Runs `quorate` in a container, as a health check does, and gives whether it succeeded.
    pub fn succeeds_in(&self, container: &str, words: &[String]) -> bool {
        let (machine, ..) = &self.running[container];
        assert_eq!(words[0], "quorate");
        let mut command = self.in_container(*machine, &words[1..], &image().environment());
        command.output().expect("the check runs").status.success()
    }

    /// Where a container is reached at `port` by those who know no names.
    pub fn address(&self, container: &str, port: u16) -> String {
        format!("http://{}:{port}", self.machines.address(self.running[container].0))
    }

    /// Runs a command outside of all containers.
    pub fn outside(&self, mut command: Command, arguments: &[&str]) -> Output {
        command.args(arguments);
        self.machines.outside(command).output().expect("the command runs")
    }

    /// Whether something is answered with 200 at a container's path.
    pub fn is_ok(&self, container: &str, path: &str) -> bool {
        let url = format!("{}{path}", self.address(container, CLIENT_PORT));
        self.curl(&["--silent", "--fail", "--max-time", "2", "--output", "/dev/null", &url]).status.success()
    }

    /// Runs `curl` outside of all containers. No proxy that this machine may have is there.
    pub fn curl(&self, arguments: &[&str]) -> Output {
        self.outside(Command::new("curl"), &[&["--noproxy", "*"], arguments].concat())
    }

    /// Writes through one container and reads through another.
    pub fn check_write(&self, key: &str, through: &str, from: &str) {
        let [through, from] = [through, from].map(|container| self.address(container, CLIENT_PORT));
        eventually(&format!("a write through {through}"), || {
            let put = ["put", key, "value", "--endpoints", &through];
            self.outside(quorate(), &put).status.success().then_some(())
        });
        let got = self.outside(quorate(), &["get", key, "--endpoints", &from]);
        assert_eq!(got.stdout, b"value", "{}", String::from_utf8_lossy(&got.stderr));
    }

    /// Asks a container to stop, which has to end in order.
    pub fn stop(&mut self, container: &str) {
        let (_, _, mut process) = self.running.remove(container).expect("it runs");
        process.signal("-TERM");
        assert_eq!(process.await_exit().code(), Some(0), "{container}");
    }

    /// Ends a container at once.
    pub fn kill(&mut self, container: &str) {
        let (_, _, mut process) = self.running.remove(container).expect("it runs");
        process.kill();
    }

    /// Takes a container's machine away: nobody is told that its connections have ended.
    pub fn lose(&mut self, container: &str) {
        self.machines.unplug(self.running[container].0);
        self.kill(container);
    }

    /// Stops all that run.
    pub fn stop_all(mut self) {
        let mut running: Vec<_> = std::mem::take(&mut self.running).into_iter().collect();
        for (_, (_, _, process)) in &running {
            process.signal("-TERM");
        }
        for (name, (_, _, process)) in &mut running {
            assert_eq!(process.await_exit().code(), Some(0), "{name}");
        }
    }
}
