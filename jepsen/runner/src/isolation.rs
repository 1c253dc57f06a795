//! A world of the runner's own.
//!
//! Before it does anything, the runner starts itself again in namespaces of its own: for the network, for mounts and
//! for processes. There it is the first process; when it ends, however it ends, the system kills what it has
//! started, unmounts what it has mounted and takes its network down. That takes root, or a system that lets everybody
//! have a namespace of users. Elsewhere nodes are processes on the loopback device, and faults of the network and of
//! file systems of a node's own are left out.
//!
//! The process that was started stays outside as `unshare`, which waits. It heeds neither Ctrl-C nor `SIGTERM`: Ctrl-C
//! reaches the runner, which is in the same group of processes, while a `SIGTERM` has to be sent to the group or to the
//! runner itself. `SIGKILL` for `unshare` ends everything.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

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

/// Goes into a world of its own, if that is wanted and possible: this process is then replaced by one that is inside,
/// and does not come back from here.
pub fn enter(wanted: bool) -> Isolation {
    if std::env::var_os(INSIDE).is_some() {
        return Isolation::Isolated;
    }
    if !wanted {
        return Isolation::Shared { why: "it was not wanted".into() };
    }
    for program in ["ip", "nsenter"] {
        if !runs(Command::new(program).arg("-V")) {
            return Isolation::Shared {
                why: format!("there is no `{program}` here (Debian: iproute2, util-linux)"),
            };
        }
    }
    let ways: [&[&str]; 2] = [&[], &OF_A_USER];
    let Some(way) = ways.into_iter().find(|way| makes_namespaces(way)) else {
        return Isolation::Shared {
            why: "this system gives us no namespaces with cables between them".into(),
        };
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Isolation::Shared { why: format!("the runner cannot find itself: {error}") },
    };
    let mut again = Command::new("unshare");
    again
        .args(way)
        .args(NAMESPACES)
        .arg("--")
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "yes");
    let error = again.exec();
    Isolation::Shared { why: format!("unshare: {error}") }
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
