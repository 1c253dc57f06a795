//! What operators see.

use std::time::Duration;

use quorate_api::{ClusterStatus, Role as ApiRole};
use quorate_consensus::ClusterId;
use quorate_replica::{ReadError, Role};

use crate::harness::Server;

#[tokio::test]
async fn the_cluster_is_described_with_numbers_as_strings() {
    let server = Server::start().await;
    let answer = server.ask("GET /v1/cluster").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text(), include_str!("cluster.json"));
    let status: ClusterStatus = serde_json::from_slice(&answer.body).expect("clients can read it");
    assert_eq!(status.role, ApiRole::Leader);
    assert_eq!(status.leader_client_url.as_deref(), Some("http://127.0.0.1:7001"));
}

#[tokio::test]
async fn a_cluster_that_is_being_formed_has_no_name_yet() {
    let server = Server::start().await;
    {
        let mut state = server.store.state();
        state.status.cluster_id = ClusterId::NONE;
        state.status.role = Role::Forming;
        state.status.leader = None;
        state.status.staleness = None;
    }
    let answer = server.ask("GET /v1/cluster").await;
    let status: ClusterStatus = serde_json::from_slice(&answer.body).expect("clients can read it");
    assert_eq!((status.cluster_id, status.leader, status.age_ms), (None, None, None));
    assert_eq!(status.role, ApiRole::Forming);
}

#[tokio::test]
async fn every_role_is_told_by_its_name() {
    let server = Server::start().await;
    for role in [Role::Forming, Role::Learner, Role::Follower, Role::Candidate, Role::Leader, Role::Stopped] {
        server.store.state().status.role = role;
        let answer = server.ask("GET /v1/cluster").await;
        let status: ClusterStatus = serde_json::from_slice(&answer.body).expect("clients can read it");
        assert_eq!(status.role.name(), role.name());
        let sample = format!("quorate_raft_role{{role=\"{}\"}} 1", role.name());
        assert!(server.ask("GET /metrics").await.text().contains(&sample));
    }
}

#[tokio::test]
async fn a_node_is_healthy_until_its_replica_stops_and_ready_while_it_can_serve() {
    let server = Server::start().await;
    let ok = "200\ncontent-type: text/plain; charset=utf-8\ncache-control: no-store\n\n";
    server.check("GET /healthz", &format!("{ok}ok\n")).await;
    server.check("GET /readyz", &format!("{ok}ready\n")).await;
    let unavailable = |message: &str| {
        format!(
            "503\ncontent-type: application/json\ncache-control: no-store\nretry-after: 1\n\n\
             {{\"code\":\"unavailable\",\"message\":\"{message}\"}}"
        )
    };
    let no_leader = ReadError::Unavailable { reason: "seen".to_owned(), retry_after: Duration::ZERO };
    server.store.state().read_errors.push_back(no_leader);
    server.check("GET /readyz", &unavailable("no leader confirmed that it has a quorum: seen")).await;
    server.store.state().hangs = true;
    let in_time = "no leader has confirmed in time that it has a quorum";
    server.check("GET /readyz", &unavailable(in_time)).await;
    server.check("GET /healthz", &format!("{ok}ok\n")).await;
    server.store.state().status.role = Role::Forming;
    let forming = "the cluster is being formed: not all initial members have been seen";
    server.check("GET /readyz", &unavailable(forming)).await;
    server.store.state().status.role = Role::Stopped;
    let stopped = unavailable("this node's replica has stopped");
    server.check("GET /readyz", &stopped).await;
    server.check("GET /healthz", &stopped).await;
}

#[tokio::test]
async fn metrics_are_text_in_a_fixed_order() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    for request in
        ["PUT /v1/kv/a\n\nx", "GET /v1/kv/a", "GET /v1/kv/b", "HEAD /v1/kv/a", "BREW /v1/kv/a", "GET /x"]
    {
        connection.ask(request).await;
    }
    let answer = connection.ask("GET /metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    // How long requests took differs from run to run.
    let steady: Vec<&str> = answer
        .text()
        .lines()
        .filter(|line| !line.contains("_seconds_bucket") && !line.contains("_seconds_sum"))
        .collect();
    assert_eq!(steady.join("\n"), include_str!("metrics.txt").trim_end());
    assert!(answer.text().contains("_seconds_bucket{route=\"kv\",method=\"put\",le=\"+Inf\"} 1"));
}
