//! The compose files.
use yaml_rust2::Yaml;

use crate::image::{assert_is_known, image};
use crate::pods::{Container, Pods};
use crate::processes::eventually;
use crate::processes::machines::CLIENT_PORT;
use crate::yaml::{documents, pairs, text, texts};

const WITH_ROUTER: &str = include_str!("../../../../deploy/docker-compose.yml");
const NODES: &str = include_str!("../../../../deploy/docker-compose.nodes.yml");

/// One service of a file.
struct Service {
    container: Container,
    /// The command that tells whether it can be used.
    check: Vec<String>,
    /// Ports of the container that are to be had at the machine.
    published: Vec<u16>,
    /// All that the file says of it.
    said: Yaml,
}

impl Service {
    fn name(&self) -> &str {
        self.container.name()
    }
}

fn services(file: &str) -> Vec<Service> {
    let document = documents(file).remove(0);
    let services = document["services"].as_hash().expect("there are services");
    services.iter().map(|(name, said)| service(&text(name), said)).collect()
}

fn service(name: &str, said: &Yaml) -> Service {
    let volumes = &said["volumes"];
    let mount = (!volumes.is_badvalue()).then(|| {
        let [volume] = &texts(volumes)[..] else { panic!("{name} has {volumes:?}") };
        let (volume, mount) = volume.split_once(':').expect("a volume and where it is mounted");
        assert_eq!(volume, name, "two containers must not share a volume");
        mount.to_owned()
    });
    let arguments = if said["command"].is_badvalue() { image().command() } else { texts(&said["command"]) };
    let environment = pairs(&said["environment"]).into_iter().collect();
    let test = texts(&said["healthcheck"]["test"]);
    assert_eq!(test[0], "CMD", "a check needs no shell");
    let ports = if said["ports"].is_badvalue() { Vec::new() } else { texts(&said["ports"]) };
    let published = ports.iter().map(|port| {
        let port = port.strip_prefix("127.0.0.1:").expect("only this machine can reach it");
        port.split_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port of the container")
    });
    Service {
        container: Container { names: vec![name.to_owned()], arguments, environment, mount },
        check: test[1..].to_vec(),
        published: published.collect(),
        said: said.clone(),
    }
}

#[test]
fn both_files_have_the_same_three_nodes() {
    let [with_router, nodes] = [WITH_ROUTER, NODES].map(services);
    let names =
        |services: &[Service]| services.iter().map(|service| service.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&nodes), ["node-1", "node-2", "node-3"]);
    assert_eq!(names(&with_router), ["router", "node-1", "node-2", "node-3"]);
    let environment = |service: &Service| {
        let mut environment = service.container.environment.clone();
        environment.remove("QUORATE_DIALECT");
        environment
    };
    for (one, other) in with_router[1..].iter().zip(&nodes) {
        assert_eq!(environment(one), environment(other), "{}", one.name());
        assert_eq!(one.container.mount, other.container.mount);
    }
}

#[test]
fn every_container_is_checked_stopped_in_peace_and_of_no_more_rights_than_it_needs() {
    for service in [WITH_ROUTER, NODES].into_iter().flat_map(services) {
        let said = &service.said;
        assert_eq!(service.check[..3], ["quorate", "health", "--ready"]);
        assert_eq!(text(&said["stop_grace_period"]), "60s");
        assert_eq!(texts(&said["cap_drop"]), ["ALL"]);
        assert_eq!(texts(&said["security_opt"]), ["no-new-privileges:true"]);
        assert_eq!(said["read_only"].as_bool(), Some(true));
        assert_eq!(text(&said["image"]), "quorate");
        assert_eq!(text(&said["pull_policy"]), "never");
        let command = &service.container.arguments[0];
        for variable in service.container.environment.keys() {
            assert_is_known(variable, command);
        }
        // A node without a volume would forget what it has promised, each time that its container is made anew.
        assert_eq!(service.container.mount.is_some(), command == "serve", "{}", service.name());
    }
}

#[test]
fn the_image_is_built_once() {
    for file in [WITH_ROUTER, NODES] {
        let services = services(file);
        let built: Vec<_> =
            services.iter().map(|service| &service.said["build"]).filter(|it| !it.is_badvalue()).collect();
        assert_eq!(built.len(), 1, "{file}");
        assert_eq!(text(&built[0]["dockerfile"]), "deploy/Dockerfile");
    }
}

/// Starts what the file says, uses it, and moves a node to another address.
fn check_file(file: &str) {
    let services = services(file);
    let spare = u8::try_from(services.len() + 1).expect("they are few");
    let Some(mut pods) = Pods::on_machines(spare) else { return };
    for (service, machine) in services.iter().zip(1..) {
        pods.start(&service.container, machine);
    }
    let await_checks = |pods: &Pods| {
        for service in &services {
            eventually(&format!("{} to be healthy", service.name()), || {
                pods.succeeds_in(service.name(), &service.check).then_some(())
            });
        }
    };
    await_checks(&pods);
    let alive = image().health_check();
    assert!(services.iter().all(|service| pods.succeeds_in(service.name(), &alive)));
    let open = |port: u16| services.iter().filter(move |service| service.published.contains(&port));
    let (first, last) = (open(CLIENT_PORT).next(), open(CLIENT_PORT).next_back());
    let [first, last] = [first, last].map(|service| service.expect("clients can reach something").name());
    pods.check_write("greeting", first, last);
    if let Some(service) = open(8080).next() {
        let url = format!("{}/key", pods.address(service.name(), 8080));
        let curl = |arguments: &[&str]| pods.curl(&[arguments, &[&url]].concat());
        assert!(curl(&["-X", "PUT", "-d", "value"]).status.success());
        assert_eq!(curl(&["--silent"]).stdout, b"value");
    }

    // A node comes back at another address, and then another one goes, so that those that are left need it.
    let node = services.last().expect("there are services");
    pods.stop(node.name());
    pods.start(&node.container, spare);
    await_checks(&pods);
    pods.stop("node-2");
    pods.check_write("after", first, last);
    pods.stop_all();
}

#[test]
fn a_router_and_three_nodes_run_as_the_file_says_and_a_node_may_move() {
    check_file(WITH_ROUTER);
}

#[test]
fn three_nodes_run_as_the_file_says_and_a_node_may_move() {
    check_file(NODES);
}
