//! `deploy/Dockerfile`, as an image builder reads it.

use std::collections::BTreeMap;

use crate::processes::run;

/// One instruction: its name, and all behind it on one line.
#[derive(Clone, Debug)]
pub struct Instruction {
    pub name: String,
    pub rest: String,
}

impl Instruction {
    /// The words of the form `["a", "b"]`, in which no shell comes between.
    pub fn words(&self) -> Vec<String> {
        let form = self.rest.find('[').map(|start| &self.rest[start..]);
        let words = form.and_then(|form| serde_json::from_str(form).ok());
        words.unwrap_or_else(|| panic!("{} {} is not in the form of words", self.name, self.rest))
    }
}

/// What a container gets from its image.
pub struct Image {
    /// The first line of each stage, and its instructions.
    pub stages: Vec<Vec<Instruction>>,
}

/// The image of this repository.
pub fn image() -> Image {
    let mut stages: Vec<Vec<Instruction>> = Vec::new();
    for instruction in instructions(include_str!("../../../../deploy/Dockerfile")) {
        match instruction.name.as_str() {
            "FROM" => stages.push(vec![instruction]),
            "ARG" if stages.is_empty() => assert_eq!(instruction.rest, "DEBIAN=bookworm"),
            _ => stages.last_mut().expect("a stage begins with FROM").push(instruction),
        }
    }
    Image { stages }
}

/// Lines that end with a backslash go on, comments are left out, and the one build argument is filled in.
fn instructions(text: &str) -> Vec<Instruction> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ").replace("${DEBIAN}", "bookworm");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, rest) = line.split_once(' ').expect("an instruction has something to do");
            Instruction { name: name.to_owned(), rest: rest.trim().to_owned() }
        })
        .collect()
}

impl Image {
    /// The stage that becomes the image.
    pub fn runtime(&self) -> &[Instruction] {
        self.stages.last().expect("there is a stage")
    }

    fn only(&self, name: &str) -> &Instruction {
        let found: Vec<_> = self.runtime().iter().filter(|instruction| instruction.name == name).collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found[0]
    }

    pub fn environment(&self) -> BTreeMap<String, String> {
        let pairs =
            self.only("ENV").rest.split_whitespace().map(|pair| pair.split_once('=').expect("a pair"));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    pub fn entry_point(&self) -> Vec<String> {
        self.only("ENTRYPOINT").words()
    }

    /// What the entry point gets if a container says nothing else.
    pub fn command(&self) -> Vec<String> {
        self.only("CMD").words()
    }

    /// The command that tells whether a container is alive.
    pub fn health_check(&self) -> Vec<String> {
        let check = self.only("HEALTHCHECK");
        assert!(check.rest.contains(" CMD ["), "{check:?}");
        check.words()
    }

    /// User and group, which have to be numbers.
    pub fn user(&self) -> (u32, u32) {
        let (user, group) = self.only("USER").rest.split_once(':').expect("a user and a group");
        (user.parse().expect("a number"), group.parse().expect("a number"))
    }

    pub fn volume(&self) -> String {
        let volumes = self.only("VOLUME").words();
        assert_eq!(volumes.len(), 1);
        volumes[0].clone()
    }

    pub fn ports(&self) -> Vec<u16> {
        let ports = self.only("EXPOSE").rest.split(' ').map(|port| port.parse().expect("a port"));
        ports.collect()
    }
}

/// Whether a variable is one that the command knows.
pub fn assert_is_known(variable: &str, command: &str) {
    let help = String::from_utf8(run(&[command, "--help"]).stdout).expect("help is text");
    assert!(help.contains(&format!("[env: {variable}=")), "quorate {command} does not know {variable}");
}

#[test]
fn the_image_is_built_with_the_compiler_that_the_workspace_asks_for() {
    let manifest: toml::Table = include_str!("../../../../Cargo.toml").parse().expect("a manifest");
    let version = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version");
    let image = image();
    assert_eq!(image.stages.len(), 2);
    assert_eq!(image.stages[0][0].rest, format!("rust:{version}-slim-bookworm AS build"));
    // Built and run on the same system, or the program would not find its C library.
    assert_eq!(image.stages[1][0].rest, "debian:bookworm-slim");
    let build =
        &image.stages[0].iter().find(|instruction| instruction.name == "RUN").expect("it builds").rest;
    assert!(build.contains("cargo build --release --locked --package quorate"), "{build}");
}

#[test]
fn a_container_is_a_node_of_its_own_user_and_is_asked_how_it_is_without_a_shell() {
    let image = image();
    assert_eq!(
        (image.entry_point(), image.command()),
        (vec!["quorate".to_owned()], vec!["serve".to_owned()])
    );
    assert_eq!(image.health_check()[..2], ["quorate", "health"]);
    let (user, group) = image.user();
    assert!(user >= 1_000 && group >= 1_000, "{user}:{group} is root's or the system's");
    let names: Vec<_> = image.runtime().iter().map(|instruction| instruction.name.as_str()).collect();
    let position = |name| names.iter().rposition(|other| *other == name).expect("is there");
    // What comes after USER is the user's; what comes behind VOLUME is not in the volume any more.
    assert!(position("USER") > position("COPY") && position("VOLUME") > position("RUN"));

    let environment = image.environment();
    assert_eq!(environment["QUORATE_DATA_DIR"], image.volume());
    let port =
        |variable: &str| environment[variable].strip_prefix("0.0.0.0:").and_then(|port| port.parse().ok());
    let ports: Vec<u16> = ["QUORATE_LISTEN", "QUORATE_PEER_LISTEN"].into_iter().filter_map(port).collect();
    assert_eq!(ports, image.ports());
    assert_eq!(environment["QUORATE_ENDPOINTS"], format!("http://127.0.0.1:{}", ports[0]));
    for variable in environment.keys() {
        assert_is_known(variable, if variable == "QUORATE_ENDPOINTS" { "health" } else { "serve" });
    }
}
