//! What `deploy/` offers, used as it stands.

mod processes;

use std::path::Path;
use std::process::{Command, Stdio};

use processes::machines::Machines;
use processes::{Process, eventually, quorate};

/// The lines of a Procfile: names and commands.
fn entries(procfile: &str) -> Vec<(&str, &str)> {
    let lines = procfile.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").expect("a name, and what is run under it")).collect()
}

#[test]
fn the_procfile_runs_a_cluster_and_its_router() {
    // It names ports, which may be taken on this machine, but not on a network of its own.
    let network = Machines::new(0);
    if !network.have_cables() {
        println!("skipped: no network namespaces here, and the ports of the Procfile may be taken");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let binaries = Path::new(env!("CARGO_BIN_EXE_quorate")).parent().expect("it lies in a folder");
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap_or_default());
    let start = |entry: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {entry}")]).env("PATH", &path);
        let mut command = network.outside(command);
        command.current_dir(folder.path()).stdout(Stdio::null());
        Process(command.spawn().expect("the shell starts"))
    };
    let procfile = include_str!("../../../deploy/Procfile");
    let mut running: Vec<_> = entries(procfile).into_iter().map(|(_, entry)| start(entry)).collect();
    assert_eq!(running.len(), 4);

    let ask = |arguments: &[&str]| {
        let mut command = quorate();
        command.args(arguments);
        network.outside(command).output().expect("the command runs")
    };
    let router = ["--endpoints", "http://127.0.0.1:7800"];
    eventually("a write through the router", || {
        let put = ask(&[&["put", "k", "v"][..], &router].concat());
        put.status.success().then_some(())
    });
    // Without options, commands ask just these nodes.
    assert_eq!(ask(&["get", "k"]).stdout, b"v");
    for process in &mut running {
        process.signal("-TERM");
    }
    for process in &mut running {
        assert_eq!(process.await_exit().code(), Some(0));
    }
}

#[test]
fn the_unit_runs_the_binary_with_the_example_of_a_configuration() {
    let unit = include_str!("../../../deploy/quorate.service");
    let setting = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let words: Vec<_> = setting("ExecStart").expect("it starts something").split(' ').collect();
    assert_eq!(words, ["/usr/bin/quorate", "serve", "--config", "/etc/quorate/quorate.toml"]);

    // The same with files of this test, and as systemd does it: the folder comes from the environment.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let configuration = folder.path().join("quorate.toml");
    std::fs::write(&configuration, include_str!("../../../deploy/quorate.toml")).expect("can be written");
    assert_eq!(setting("Environment"), Some("QUORATE_DATA_DIR=%S/quorate"));
    let network = Machines::new(0);
    if !network.have_cables() {
        println!("skipped: no network namespaces here, and the ports of the example may be taken");
        return;
    }
    let mut command = quorate();
    command
        .args(["serve", "--config"])
        .arg(&configuration)
        .env("QUORATE_DATA_DIR", folder.path().join("data"));
    let mut node = Process(network.outside(command).stdout(Stdio::null()).spawn().expect("the node starts"));
    let mut put = quorate();
    put.args(["put", "k", "v", "--timeout", "30s", "--endpoints", "http://127.0.0.1:7801"]);
    let output = network.outside(put).output().expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    node.signal("-TERM");
    assert_eq!(node.await_exit().code(), Some(0));
    check_unit_with_systemd(unit);
}

#[test]
fn the_package_has_the_program_the_configuration_and_the_user_of_the_unit() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().expect("a manifest");
    let package = &manifest["package"]["metadata"]["deb"];
    let mut installed = Vec::new();
    for asset in package["assets"].as_array().expect("it lists files") {
        let [from, to, mode] = [0, 1, 2].map(|index| asset[index].as_str().expect("text"));
        let is_program = to == "usr/bin/";
        assert_eq!(mode, if is_program { "755" } else { "644" }, "{from}");
        // What begins with the other folder is made by `cargo xtask package`.
        if !from.starts_with("target/release/") {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(from).exists(), "{from}");
        }
        let name = from.rsplit('/').next().expect("a name");
        installed.push(if to.ends_with('/') { format!("/{to}{name}") } else { format!("/{to}") });
    }
    let unit = include_str!("../../../deploy/quorate.service");
    let setting = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    for path in
        setting("ExecStart").expect("it starts something").split(' ').filter(|word| word.contains('/'))
    {
        assert!(installed.iter().any(|other| other == path), "{path} is not in the package");
    }
    let users = include_str!("../../../deploy/quorate.sysusers");
    let user = setting("User").expect("it has a user");
    assert!(users.lines().any(|line| line.starts_with(&format!("u {user} - "))), "{user}");
    assert_eq!(package["systemd-units"]["unit-scripts"].as_str(), Some("../../deploy"));
    assert_eq!(package["systemd-units"]["start"].as_bool(), Some(false), "it cannot know the other members");
}

/// Where systemd is there, it has to find nothing wrong with the unit.
fn check_unit_with_systemd(unit: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("quorate.service");
    // It looks whether there is such a program.
    let unit = unit.replace("/usr/bin/quorate", env!("CARGO_BIN_EXE_quorate"));
    std::fs::write(&path, unit).expect("can be written");
    // Its manual pages come with the package.
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output() {
        Ok(output) => {
            let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && !complaints.contains("quorate.service"), "{complaints}");
        }
        Err(error) => println!("skipped: systemd-analyze cannot be run: {error}"),
    }
}
