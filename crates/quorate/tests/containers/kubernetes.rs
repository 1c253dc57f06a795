//! The manifests for Kubernetes.

use std::collections::BTreeMap;

use yaml_rust2::Yaml;

use crate::image::{assert_is_known, image};
use crate::pods::{Container, Pods};
use crate::processes::eventually;
use crate::yaml::{documents, pairs, text, texts};

/// Every file that the customization names.
fn manifests() -> Vec<Yaml> {
    let customization = documents(include_str!("../../../../deploy/kubernetes/kustomization.yaml")).remove(0);
    let files = [
        ("services.yaml", include_str!("../../../../deploy/kubernetes/services.yaml")),
        ("stateful-set.yaml", include_str!("../../../../deploy/kubernetes/stateful-set.yaml")),
        ("disruption-budget.yaml", include_str!("../../../../deploy/kubernetes/disruption-budget.yaml")),
        ("network-policy.yaml", include_str!("../../../../deploy/kubernetes/network-policy.yaml")),
    ];
    assert_eq!(texts(&customization["resources"]), files.map(|(name, _)| name));
    files.iter().flat_map(|(_, text)| documents(text)).collect()
}

fn of_kind(kind: &str) -> Vec<Yaml> {
    manifests().into_iter().filter(|manifest| text(&manifest["kind"]) == kind).collect()
}

fn stateful_set() -> Yaml {
    of_kind("StatefulSet").remove(0)["spec"].clone()
}

fn pod() -> Yaml {
    stateful_set()["template"]["spec"].clone()
}

fn container() -> Yaml {
    let containers = pod()["containers"].clone();
    assert_eq!(containers.as_vec().map(Vec::len), Some(1));
    containers[0].clone()
}

/// The number of a named port.
fn port(name: &str) -> u16 {
    let ports = container()["ports"].clone();
    let found = ports.as_vec().into_iter().flatten().find(|port| text(&port["name"]) == name);
    let number = found.and_then(|port| port["containerPort"].as_i64());
    number.and_then(|number| number.try_into().ok()).unwrap_or_else(|| panic!("there is no port {name}"))
}

/// The path of a probe, which has to go to the port for clients.
fn probe(name: &str) -> String {
    let get = &container()[name]["httpGet"];
    assert_eq!(text(&get["port"]), "clients");
    text(&get["path"])
}

/// What Kubernetes makes of the template for the pod with this number.
fn pod_number(ordinal: i64) -> Container {
    let set = of_kind("StatefulSet").remove(0);
    let own = format!("{}-{ordinal}", text(&set["metadata"]["name"]));
    let fields = BTreeMap::from([
        ("metadata.name", own.clone()),
        ("metadata.namespace", "default".to_owned()),
        ("metadata.labels['apps.kubernetes.io/pod-index']", ordinal.to_string()),
    ]);
    let container = container();
    let mut environment: BTreeMap<String, String> = BTreeMap::new();
    for variable in container["env"].as_vec().expect("it has variables") {
        let value = match &variable["value"] {
            Yaml::BadValue => fields[text(&variable["valueFrom"]["fieldRef"]["fieldPath"]).as_str()].clone(),
            // Variables may name those before them.
            value => environment
                .iter()
                .fold(text(value), |value, (name, said)| value.replace(&format!("$({name})"), said)),
        };
        environment.insert(text(&variable["name"]), value);
    }
    let service = text(&set["spec"]["serviceName"]);
    let names = ["", ".default.svc"].map(|ending| format!("{own}.{service}{ending}"));
    let mount = text(&container["volumeMounts"][0]["mountPath"]);
    Container { names: names.to_vec(), arguments: texts(&container["args"]), environment, mount: Some(mount) }
}

fn pods() -> Vec<Container> {
    let set = stateful_set();
    let first = set["ordinals"]["start"].as_i64().expect("a number");
    let replicas = set["replicas"].as_i64().expect("a number");
    (first..first + replicas).map(pod_number).collect()
}

#[test]
fn each_pod_is_the_member_of_its_ordinal_under_a_name_that_stays() {
    let pods = pods();
    let members: Vec<_> =
        pods.iter().zip(1..).map(|(pod, number)| format!("{number}={}:7901", pod.name())).collect();
    for (pod, number) in pods.iter().zip(1..) {
        assert_eq!(pod.environment["QUORATE_ID"], number.to_string());
        assert_eq!(pod.environment["QUORATE_INITIAL_CLUSTER"], members.join(","));
        let url = format!("http://{}:{}", pod.names[1], port("clients"));
        assert_eq!(pod.environment["QUORATE_ADVERTISE_URL"], url);
        for variable in pod.environment.keys().filter(|name| name.starts_with("QUORATE_")) {
            assert_is_known(variable, "serve");
        }
    }
    assert_eq!([port("clients"), port("peers")], image().ports()[..]);
    let set = stateful_set();
    // One that waits for another to be ready would wait for ever: none is before a majority has met.
    assert_eq!(text(&set["podManagementPolicy"]), "Parallel");
    let claim = &set["volumeClaimTemplates"][0]["metadata"]["name"];
    assert_eq!(&container()["volumeMounts"][0]["name"], claim);
}

#[test]
fn everything_selects_the_pods_and_names_their_ports() {
    let labels = pairs(&stateful_set()["template"]["metadata"]["labels"]);
    assert!(!labels.is_empty());
    assert_eq!(pairs(&stateful_set()["selector"]["matchLabels"]), labels);
    for service in of_kind("Service") {
        assert_eq!(pairs(&service["spec"]["selector"]), labels);
        for said in service["spec"]["ports"].as_vec().expect("it has ports") {
            assert_eq!(said["port"].as_i64(), Some(port(&text(&said["targetPort"])).into()));
        }
    }
    let services = of_kind("Service");
    let headless = services.iter().find(|service| text(&service["spec"]["clusterIP"]) == "None");
    let headless = headless.expect("there is a service that gives pods their names");
    assert_eq!(headless["metadata"]["name"], stateful_set()["serviceName"]);
    assert_eq!(headless["spec"]["publishNotReadyAddresses"].as_bool(), Some(true));
    let budget = &of_kind("PodDisruptionBudget")[0]["spec"];
    assert_eq!(budget["maxUnavailable"].as_i64(), Some(1));
    assert_eq!(pairs(&budget["selector"]["matchLabels"]), labels);
    let policy = &of_kind("NetworkPolicy")[0]["spec"];
    assert_eq!(pairs(&policy["podSelector"]["matchLabels"]), labels);
    for rule in policy["ingress"].as_vec().expect("it has rules") {
        port(&text(&rule["ports"][0]["port"]));
    }
    let apart = &pod()["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(pairs(&apart["labelSelector"]["matchLabels"]), labels);
}

#[test]
fn a_pod_has_no_more_rights_than_it_needs() {
    let (user, group) = image().user();
    let said = &pod()["securityContext"];
    assert_eq!(said["runAsNonRoot"].as_bool(), Some(true));
    assert_eq!(said["runAsUser"].as_i64(), Some(user.into()));
    assert_eq!([&said["runAsGroup"], &said["fsGroup"]].map(Yaml::as_i64), [Some(group.into()); 2]);
    let said = &container()["securityContext"];
    assert_eq!(said["readOnlyRootFilesystem"].as_bool(), Some(true));
    assert_eq!(said["allowPrivilegeEscalation"].as_bool(), Some(false));
    assert_eq!(texts(&said["capabilities"]["drop"]), ["ALL"]);
    // Variables of services would begin with QUORATE_, as ours do.
    assert_eq!(pod()["enableServiceLinks"].as_bool(), Some(false));
}

#[test]
fn the_pods_run_outlive_a_machine_and_are_not_killed_for_a_lost_quorum() {
    let containers = pods();
    let Some(mut pods) = Pods::on_machines(4) else { return };
    for (container, machine) in containers.iter().zip(1..) {
        pods.start(container, machine);
    }
    let [one, two, three] = [0, 1, 2].map(|index: usize| containers[index].name());
    let [startup, liveness, readiness] = ["startupProbe", "livenessProbe", "readinessProbe"].map(probe);
    for name in [one, two, three] {
        eventually("the node to start", || pods.is_ok(name, &startup).then_some(()));
        eventually("the node to be ready", || pods.is_ok(name, &readiness).then_some(()));
    }
    pods.check_write("greeting", one, three);

    // Its machine is lost, and the pod is made anew on another one.
    pods.lose(three);
    pods.start(&containers[2], 4);
    eventually("the moved pod to be ready", || pods.is_ok(three, &readiness).then_some(()));
    pods.kill(two);
    pods.check_write("after", one, three);

    pods.kill(three);
    eventually("the quorum to be missed", || (!pods.is_ok(one, &readiness)).then_some(()));
    assert!(pods.is_ok(one, &liveness), "a restart would not bring the quorum back");
    pods.start(&containers[1], 2);
    eventually("the quorum to be back", || pods.is_ok(one, &readiness).then_some(()));
    pods.stop_all();
}

/// The pod as `docs/deployment.md` says how to change it for a cluster that exists.
fn joining(mut pod: Container) -> Container {
    pod.environment.remove("QUORATE_INITIAL_CLUSTER");
    let members = "quorate-1.quorate-peers:7901,quorate-2.quorate-peers:7901";
    pod.environment.insert("QUORATE_JOIN".to_owned(), members.to_owned());
    pod.environment.insert("QUORATE_ADVERTISE_PEER".to_owned(), format!("{}:7901", pod.name()));
    pod
}

#[test]
fn pods_that_are_told_to_join_go_on_as_members_and_more_can_be_added() {
    let containers = pods();
    let Some(mut pods) = Pods::on_machines(4) else { return };
    for (container, machine) in containers.iter().zip(1..) {
        pods.start(container, machine);
    }
    let readiness = probe("readinessProbe");
    let await_ready = |pods: &Pods, name: &str| {
        eventually(&format!("{name} to be ready"), || pods.is_ok(name, &readiness).then_some(()));
    };
    for container in &containers {
        await_ready(&pods, container.name());
    }
    pods.check_write("before", containers[0].name(), containers[1].name());
    // An update goes from the last pod to the first.
    for (container, machine) in containers.iter().zip(1..).collect::<Vec<_>>().into_iter().rev() {
        pods.stop(container.name());
        pods.start(&joining(container.clone()), machine);
        await_ready(&pods, container.name());
    }
    let fourth = joining(pod_number(4));
    pods.start(&fourth, 4);
    await_ready(&pods, fourth.name());
    pods.check_write("after", containers[0].name(), fourth.name());
    pods.stop_all();
}
