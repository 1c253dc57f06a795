//! The image made by hand: the last stage of the Dockerfile, step by step, in a fresh root of the system that it
//! names, and a node in there as a container runs it.
//!
//! It fetches the packages of that system, which takes minutes on a slow network, so that it runs only where
//! `QUORATE_TEST_CLEAN_ROOT=1` asks for it. It needs root and debootstrap then. Instead of 1 it may be the folder of a
//! root that debootstrap has made before, of which a copy is used.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::image::{Image, Instruction, image};
use crate::processes::machines::Machines;
use crate::processes::{Process, eventually};

/// Asks for this test.
const WANTED: &str = "QUORATE_TEST_CLEAN_ROOT";
/// Where programs are looked for in a container.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Becomes process 1 in the root, which can be written to only where a volume is.
const AS_CONTAINER: &str = r#"root=$0; volume=$1; shift
mount --bind "$root" "$root" && mount --bind "$root$volume" "$root$volume" &&
mount -o remount,bind,ro "$root" && mount -t proc proc "$root/proc" && exec "$@""#;

/// A root that was made as the Dockerfile says.
struct Root {
    folder: TempDir,
    image: Image,
}

impl Root {
    fn make(wanted: &str) -> Self {
        let root = Self { folder: tempfile::tempdir().expect("a temporary directory"), image: image() };
        let (from, steps) = root.image.runtime().split_first().expect("a stage begins with FROM");
        let system = from.rest.strip_prefix("debian:").and_then(|tag| tag.strip_suffix("-slim"));
        let system = system.expect("a system that debootstrap knows");
        let (program, arguments) = match wanted {
            "1" => ("debootstrap", ["--variant=minbase", system]),
            there => ("cp", ["--archive", &format!("{there}/.")]),
        };
        let mut making = Command::new(program);
        making.args(arguments).arg(root.path());
        succeed(making);
        for step in steps {
            root.take(step);
        }
        root
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Does what an instruction says to files. The others say how a container is run.
    fn take(&self, step: &Instruction) {
        let words: Vec<_> = step.rest.split_whitespace().collect();
        match (step.name.as_str(), &words[..]) {
            ("RUN", _) => {
                let mut command = Command::new("chroot");
                command.arg(self.path()).args(["/usr/bin/env", "-i", PATH, "/bin/sh", "-c", &step.rest]);
                succeed(command);
            }
            ("COPY", ["--from=build", "/built/quorate", to]) => {
                self.copy(Path::new(env!("CARGO_BIN_EXE_quorate")), to);
            }
            ("COPY", [from, to]) => {
                let top =
                    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("two folders below");
                self.copy(&top.join(from), to);
            }
            ("LABEL" | "ENV" | "USER" | "VOLUME" | "EXPOSE" | "HEALTHCHECK" | "STOPSIGNAL", _) => {}
            ("ENTRYPOINT" | "CMD", _) => {}
            _ => panic!("this test cannot do {step:?}"),
        }
    }

    fn copy(&self, from: &Path, to: &str) {
        let to = self.path().join(to.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().expect("it lies in a folder")).expect("can be made");
        std::fs::copy(from, &to).expect("can be copied");
    }

    /// A command in the root, as the image's user and in its environment.
    fn command(&self, words: &[String]) -> Vec<String> {
        let (user, group) = self.image.user();
        let mut command = vec!["chroot".to_owned(), format!("--userspec={user}:{group}")];
        command.push(self.path().display().to_string());
        command.extend(["/usr/bin/env", "-i", PATH].map(str::to_owned));
        let environment = self.image.environment();
        command.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.extend(["QUORATE_ID=1", "QUORATE_INITIAL_CLUSTER=1=127.0.0.1:7901"].map(str::to_owned));
        command.push("QUORATE_ADVERTISE_URL=http://127.0.0.1:7801".to_owned());
        command.extend_from_slice(words);
        command
    }

    /// What the image runs, as process 1 of its own.
    fn container(&self) -> Command {
        let words = [self.image.entry_point(), self.image.command()].concat();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "sh", "-c", AS_CONTAINER]);
        command.arg(self.path()).arg(self.image.volume()).args(self.command(&words));
        command
    }

    /// What tells whether a container is alive.
    fn check(&self, more: &[&str]) -> Command {
        let more = more.iter().map(|word| (*word).to_owned()).collect();
        let words = self.command(&[self.image.health_check(), more].concat());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

fn succeed(mut command: Command) {
    let output = command.output().expect("the command starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

/// The one process that another one has started, once it has.
fn child_of(process: &Process) -> u32 {
    let id = process.0.id();
    let children = PathBuf::from(format!("/proc/{id}/task/{id}/children"));
    eventually("a child", || std::fs::read_to_string(&children).ok()?.trim().parse().ok())
}

#[test]
fn the_image_runs_a_node_as_its_user_and_ends_in_order() {
    let Ok(wanted) = std::env::var(WANTED) else {
        println!("skipped: {WANTED}=1 asks for it; it fetches a system, and needs root and debootstrap");
        return;
    };
    let network = Machines::new(1);
    assert!(network.have_cables(), "{WANTED} is set, but there is no root here to make namespaces with");
    let started = Instant::now();
    let root = Root::make(&wanted);
    println!("the root took {:.0} s", started.elapsed().as_secs_f64());

    let node = network.on(1, root.container()).stdout(Stdio::null()).spawn();
    let mut node = Process(node.expect("the container starts"));
    let succeeds =
        |command: Command| network.on(1, command).output().expect("the check starts").status.success();
    eventually("the health check to succeed", || succeeds(root.check(&[])).then_some(()));
    eventually("the node to be ready", || succeeds(root.check(&["--ready"])).then_some(()));
    let data = root.path().join(root.image.volume().trim_start_matches('/'));
    let owner = std::os::unix::fs::MetadataExt::uid(&data.join("identity").metadata().expect("it is there"));
    assert_eq!(owner, root.image.user().0);

    // Process 1 is not ended by a signal that it does not catch.
    let signalled = Command::new("kill").args(["-TERM", &child_of(&node).to_string()]).status();
    assert!(signalled.expect("kill runs").success());
    assert_eq!(node.await_exit().code(), Some(0));
    assert!(!succeeds(root.check(&[])), "nobody is there");
}
