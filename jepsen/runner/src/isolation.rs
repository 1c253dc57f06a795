//! A world of the runner's own.
//!
//! Before it does anything, the runner starts itself again in namespaces of its own: for the network, for mounts and
//! for processes. There it is the first process; when it ends, however it ends, the system kills what it has
//! started, unmounts what it has mounted and takes its network down. That takes root, or a system that lets everybody
//! have a namespace of users. Elsewhere nodes are processes on the loopback device, and faults of the network and of
//! file systems of a node's own are left out.
//!
//! The process that was started stays outside and waits. It holds the runner inside by a [`leash`]: when it is told to
//! stop, or dies, be it of a `SIGKILL`, the runner inside stops in order, as it does on Ctrl-C. Between them stands
//! `unshare`; if that is killed, everything inside is, at once.

pub mod ending;
pub mod leash;

use std::io;
use std::process::{Command, ExitStatus, Stdio};

/// Tells the runner that it is inside already.
const INSIDE: &str = "QUORATE_RUNNER_INSIDE";

/// What the namespaces are made with.
const NAMESPACES: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// The same without root, where that is allowed.
const OF_A_USER: [&str; 2] = ["--user", "--map-root-user"];

/// Whether the runner has a world of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It has.
    Isolated,
    /// It has not.
    Shared {
        /// Why not.
        why: String,
    },
}

impl Isolation {
    /// Whether it has.
    pub fn is_isolated(&self) -> bool {
        *self == Self::Isolated
    }
}

/// Where a run takes place.
#[derive(Debug)]
pub enum Place {
    /// In this process.
    Here(Isolation),
    /// In one that was inside a world of its own, and has ended so; or could not be run.
    Inside(io::Result<ExitStatus>),
}

/// Goes into a world of its own, if that is wanted and possible: then all is done by a process inside, and over when
/// this returns.
pub fn enter(wanted: bool) -> Place {
    if std::env::var_os(INSIDE).is_some() {
        return Place::Here(Isolation::Isolated);
    }
    let way_in = if wanted { way_in() } else { Err("it was not wanted".into()) };
    match way_in {
        Ok(inside) => Place::Inside(leash::run_on_leash(inside)),
        Err(why) => Place::Here(Isolation::Shared { why }),
    }
}

/// The command that runs this program again inside.
fn way_in() -> Result<Command, String> {
    for program in ["ip", "nsenter"] {
        if !runs(Command::new(program).arg("-V")) {
            return Err(format!("there is no `{program}` here (Debian: iproute2, util-linux)"));
        }
    }
    let ways: [&[&str]; 2] = [&[], &OF_A_USER];
    let way = ways.into_iter().find(|way| makes_namespaces(way));
    let way = way.ok_or("this system gives us no namespaces with cables between them")?;
    let program =
        std::env::current_exe().map_err(|error| format!("the runner cannot find itself: {error}"))?;
    let mut again = Command::new("unshare");
    again
        .args(way)
        .args(NAMESPACES)
        .arg("--")
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "yes");
    Ok(again)
}

/// Whether namespaces can be made, and in them what machines need: more of them, cables into those, forwarding.
fn makes_namespaces(way: &[&str]) -> bool {
    let cables = "set -e; ip link set lo up; ip addr add 10.77.0.254/32 dev lo; cd /proc/sys/net/ipv4; \
                  echo 1 > ip_forward; echo 0 > conf/all/rp_filter; echo 0 > conf/default/rp_filter; \
                  unshare --net nsenter --net=/proc/$$/ns/net true; \
                  ip link add one type veth peer name other netns $$; ip link set one up";
    runs(Command::new("unshare").args(way).args(NAMESPACES).args(["--", "sh", "-c", cables]))
}

fn runs(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
