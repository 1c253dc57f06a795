//! Nodes on machines with addresses of their own go through every verb that changes a cluster, by the commands that
//! an operator types. Whatever was acknowledged on the way is there at the end.

mod processes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};

use processes::machines::{CLIENT_PORT, Machines, PEER_PORT, spawn_silently};
use processes::{Process, SILENCE_CODES, eventually, quorate};

/// Machines and the nodes that run on them, by member.
struct Site {
    machines: Machines,
    folder: tempfile::TempDir,
    nodes: BTreeMap<u8, Process>,
    /// How many keys have been written.
    written: u32,
}

/// How many machines there are.
const MACHINES: u8 = 6;
/// The machine to which a node moves.
const SPARE: u8 = 6;

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self { machines: Machines::new(MACHINES), folder, nodes: BTreeMap::new(), written: 0 }
    }

    fn peer(&self, machine: u8) -> String {
        format!("{}:{PEER_PORT}", self.machines.address(machine))
    }

    fn url(&self, machine: u8) -> String {
        format!("http://{}:{CLIENT_PORT}", self.machines.address(machine))
    }

    /// What the initial members are told of each other.
    fn initial_cluster(&self) -> String {
        let members: Vec<_> = (1..=3).map(|member| format!("{member}={}", self.peer(member))).collect();
        members.join(",")
    }

    fn data_directory(&self, member: u8) -> PathBuf {
        self.folder.path().join(format!("n{member}"))
    }

    /// The command that runs `member` on `machine`.
    fn serving(&self, member: u8, machine: u8, options: &[&str]) -> Command {
        let mut command = quorate();
        command
            .args(["--log", "warn", "serve", "--id", &member.to_string()])
            .arg("--data-dir")
            .arg(self.data_directory(member))
            .args(["--listen", self.url(machine).trim_start_matches("http://")])
            .args(["--peer-listen", &self.peer(machine)])
            .args(options);
        self.machines.on(machine, command)
    }

    fn start_on(&mut self, member: u8, machine: u8, options: &[&str]) {
        let node = spawn_silently(self.serving(member, machine, options));
        self.nodes.insert(member, Process(node));
    }

    /// Starts a member on its own machine.
    fn start(&mut self, member: u8, options: &[&str]) {
        self.start_on(member, member, options);
    }

    /// Starts a node that has to end by itself.
    fn start_in_vain(&self, member: u8, options: &[&str]) -> Output {
        let mut command = self.serving(member, member, options);
        command.stdin(Stdio::null()).output().expect("the node starts")
    }

    fn kill(&mut self, member: u8) {
        self.nodes.remove(&member).expect("the node runs").kill();
    }

    fn terminate(&mut self, member: u8) -> ExitStatus {
        let mut node = self.nodes.remove(&member).expect("the node runs");
        node.signal("-TERM");
        node.await_exit()
    }

    fn await_exit(&mut self, member: u8) -> ExitStatus {
        self.nodes.remove(&member).expect("the node runs").await_exit()
    }

    /// Runs a client's command that may ask the nodes on these machines.
    fn try_asking(&self, machines: &[u8], arguments: &[&str]) -> Output {
        let endpoints: Vec<_> = machines.iter().map(|machine| self.url(*machine)).collect();
        let mut command = quorate();
        command.args(arguments).args(["--timeout", "20s", "--endpoints", &endpoints.join(",")]);
        self.machines.outside(command).stdin(Stdio::null()).output().expect("the command runs")
    }

    /// The same, and it has to succeed; gives what it prints.
    fn ask(&self, machines: &[u8], arguments: &[&str]) -> String {
        let output = self.try_asking(machines, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The same, of any node.
    fn run(&self, arguments: &[&str]) -> String {
        self.ask(&Vec::from_iter(1..=MACHINES), arguments)
    }

    /// The same, and it has to be refused with this code.
    fn refused(&self, arguments: &[&str], code: &str) {
        let output = self.try_asking(&Vec::from_iter(1..=MACHINES), arguments);
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(code), "{arguments:?}: {error}");
    }

    /// Has a member lead. Asks again while it seems not to answer: on a busy machine it may have been silent for a
    /// moment.
    fn transfer_leadership(&self, member: &str) {
        let arguments = ["leader", "transfer", member];
        eventually(&format!("member {member} to lead"), || {
            let output = self.try_asking(&Vec::from_iter(1..=MACHINES), &arguments);
            let error = text(&output.stderr);
            if SILENCE_CODES.iter().any(|code| error.contains(code)) {
                return None;
            }
            assert!(output.status.success(), "{arguments:?}: {error}");
            assert_eq!(text(&output.stdout), format!("{member}\n"));
            Some(())
        });
    }

    /// Writes one more key.
    fn write(&mut self) {
        self.written += 1;
        let (key, value) = (format!("key-{}", self.written), format!("value-{}", self.written));
        self.run(&["put", &key, &value]);
    }

    /// Everything that was ever acknowledged is there, at each of these machines.
    fn check_all_written(&self, machines: &[u8]) {
        for machine in machines {
            for number in 1..=self.written {
                let value = self.ask(&[*machine], &["get", &format!("key-{number}")]);
                assert_eq!(value, format!("value-{number}"), "at machine {machine}");
            }
        }
    }

    /// The members with their roles, by what any node knows.
    fn members(&self) -> Vec<String> {
        roles(&self.run(&["member", "list"]))
    }

    /// Whether the node on this machine leads and a member has not answered it lately. Who does not lead does not
    /// know.
    fn misses(&self, machine: u8, member: &str) -> bool {
        let list = self.ask(&[machine], &["member", "list", "--output", "json"]);
        let list: serde_json::Value = serde_json::from_str(&list).expect("the members are JSON");
        let mut members = list["members"].as_array().expect("a list of members").iter();
        members.any(|found| found["member"] == member && found["reachable"] == false)
    }

    fn await_members(&self, wanted: &[&str]) {
        let mut seen = Vec::new();
        eventually(&format!("the members {wanted:?}"), || {
            let members = self.members();
            if members != seen {
                println!("members: {members:?}");
                seen = members;
            }
            (seen == wanted).then_some(())
        });
    }
}

/// The members with their roles, in the list that `member list` and every change print.
fn roles(list: &str) -> Vec<String> {
    let roles = list.lines().skip(1).map(|line| {
        let mut words = line.split_whitespace();
        let (member, role) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // Behind a comma it says who leads.
        format!("{member} {}", role.trim_end_matches(','))
    });
    roles.collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_cluster_goes_through_every_verb() {
    let mut site = Site::new();
    let initial_cluster = site.initial_cluster();
    let initially = ["--initial-cluster", &initial_cluster];
    for member in 1..=3 {
        site.start(member, &initially);
    }
    site.write();

    a_learner_joins_and_is_promoted(&mut site);
    leadership_is_handed_over_and_lost(&mut site);
    a_dead_member_is_replaced(&mut site, &initially);
    a_lost_disk_is_replaced(&mut site);
    a_member_moves(&mut site);
    the_leader_is_removed(&mut site);
    what_makes_no_sense_is_refused(&mut site);
    a_lost_majority_is_recovered_from(&mut site);
}

fn a_learner_joins_and_is_promoted(site: &mut Site) {
    site.run(&["member", "add", "4", "--learner"]);
    site.await_members(&["1 voter", "2 voter", "3 voter", "4 unclaimed"]);
    let contact = site.peer(2);
    site.start(4, &["--join", &contact, "--learner"]);
    site.await_members(&["1 voter", "2 voter", "3 voter", "4 learner"]);
    site.write();
    site.check_all_written(&[4]);
    let promoted = site.run(&["member", "promote", "4"]);
    assert_eq!(roles(&promoted), ["1 voter", "2 voter", "3 voter", "4 voter"]);
}

fn leadership_is_handed_over_and_lost(site: &mut Site) {
    site.transfer_leadership("4");
    site.write();
    if !site.machines.have_cables() {
        println!("a leader that is cut off: left out, loopback has no cables");
        return;
    }
    // Cut off from the others it must not answer for them, and they do not wait for it.
    site.machines.unplug(4);
    site.write();
    let mut command = quorate();
    command.args(["get", "key-1", "--timeout", "1s", "--endpoints", &site.url(4)]);
    let output = site.machines.on(4, command).output().expect("the command runs");
    assert!(!output.status.success(), "a leader without a quorum has answered a linearizable read");
    site.machines.plug_in(4);
    site.check_all_written(&[4]);
}

fn a_dead_member_is_replaced(site: &mut Site, initially: &[&str]) {
    site.kill(2);
    site.write();
    site.run(&["member", "replace", "2", "5", "--no-wait"]);
    let contacts = format!("{},{}", site.peer(2), site.peer(3));
    site.start(5, &["--join", &contacts]);
    let replaced = site.run(&["member", "replace", "2", "5"]);
    assert_eq!(roles(&replaced), ["1 voter", "3 voter", "4 voter", "5 voter"]);
    site.check_all_written(&[5]);

    // It comes back, learns of it, and ends; and never starts again.
    site.start(2, initially);
    assert_eq!(site.await_exit(2).code(), Some(0));
    let again = site.start_in_vain(2, initially);
    let error = text(&again.stderr);
    assert!(again.status.code() == Some(1) && error.contains("--force-new"), "{error}");
}

fn a_lost_disk_is_replaced(site: &mut Site) {
    site.kill(3);
    std::fs::remove_dir_all(site.data_directory(3)).expect("the data can be removed");
    site.run(&["member", "replace", "3", "3", "--no-wait"]);
    let contact = site.peer(1);
    site.start(3, &["--join", &contact]);
    site.run(&["member", "replace", "3", "3"]);
    site.check_all_written(&[3]);
}

fn a_member_moves(site: &mut Site) {
    assert_eq!(site.terminate(1).code(), Some(0));
    site.write();
    let contact = site.peer(3);
    site.start_on(1, SPARE, &["--join", &contact]);
    let place = site.peer(SPARE);
    eventually("the new address", || site.run(&["member", "list"]).contains(&place).then_some(()));
    site.check_all_written(&[SPARE]);
}

fn the_leader_is_removed(site: &mut Site) {
    site.transfer_leadership("4");
    site.run(&["member", "remove", "4"]);
    assert_eq!(site.await_exit(4).code(), Some(0));
    site.await_members(&["1 voter", "3 voter", "5 voter"]);
    site.write();
}

fn what_makes_no_sense_is_refused(site: &mut Site) {
    site.refused(&["member", "remove", "9"], "member_unknown");
    site.refused(&["member", "promote", "9"], "member_unknown");
    site.refused(&["member", "add", "3"], "member_exists");
    site.refused(&["leader", "transfer", "9"], "member_unknown");
    // A number that somebody has, with an empty directory.
    std::fs::remove_dir_all(site.data_directory(2)).expect("the data can be removed");
    let contact = site.peer(5);
    let mut command = quorate();
    command.args(["--log", "warn", "serve", "--id", "5", "--data-dir"]).arg(site.data_directory(2));
    let address = site.machines.address(2);
    command.args(["--listen", &format!("{address}:{CLIENT_PORT}"), "--peer-listen", &site.peer(2)]);
    command.args(["--join", &contact]);
    let output = site.machines.on(2, command).output().expect("the node starts");
    let error = text(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains("member 5 exists already"), "{error}");
    // One voter less would leave two, of which one is down.
    site.kill(5);
    eventually("the loss to be known", || {
        [3, SPARE].into_iter().any(|machine| site.misses(machine, "5")).then_some(())
    });
    site.refused(&["member", "remove", "3", "--no-wait"], "quorum_at_risk");
    let contact = site.peer(3);
    site.start(5, &["--join", &contact]);
    site.check_all_written(&[5]);
    site.await_members(&["1 voter", "3 voter", "5 voter"]);
}

fn a_lost_majority_is_recovered_from(site: &mut Site) {
    site.kill(3);
    site.kill(5);
    assert_eq!(site.terminate(1).code(), Some(0));
    let survivor = site.data_directory(1);
    let recover = |option: &str| {
        let output = quorate().args(["recover", option, "--data-dir"]).arg(&survivor).output();
        let output = output.expect("the command runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(recover("--inspect").contains("member     5 voter"));
    assert!(recover("--force").contains("the only member of the new cluster"));
    let itself = format!("1={}", site.peer(SPARE));
    site.start_on(1, SPARE, &["--initial-cluster", &itself]);
    site.await_members(&["1 voter"]);
    site.check_all_written(&[SPARE]);

    // What is left of the old cluster comes back, and is none of the new one until it begins anew.
    let contact = site.peer(SPARE);
    let leftover = site.start_in_vain(3, &["--join", &contact]);
    let error = text(&leftover.stderr);
    assert!(leftover.status.code() == Some(1) && error.contains("--force-new"), "{error}");
    site.start(3, &["--join", &contact, "--force-new"]);
    site.await_members(&["1 voter", "3 voter"]);
    // Who has its vote already may be promoted all the same.
    let promoted = site.run(&["member", "promote", "3"]);
    assert_eq!(roles(&promoted), ["1 voter", "3 voter"]);
    site.write();
    site.check_all_written(&[3, SPARE]);
}
