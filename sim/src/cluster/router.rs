//! A router on a machine of its own, for the clients of a plan whose home it is.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};

use madsim::runtime::Handle;
use madsim::task::NodeId;
use quorate_client::Endpoint;
use quorate_environment::Environment;
use quorate_http::HttpOptions;
use quorate_router::RouterOptions;
use tokio_util::sync::CancellationToken;

use super::{CLIENT_PORT, client_address};
use crate::environment::SimulatedEnvironment;

/// What a plan calls the router where others of its clients have a member.
pub const ROUTER: u64 = 0;

/// The machine that it runs on.
pub(super) fn machine() -> IpAddr {
    Ipv4Addr::new(10, 0, 2, 1).into()
}

/// Starts it in front of the members of a plan.
pub(super) fn start(handle: &Handle, environment: SimulatedEnvironment, members: u64) -> NodeId {
    let router = move || run(environment.clone(), members);
    handle.create_node().name("router").ip(machine()).init(router).build().id()
}

/// The life of its process. Never returns: madsim wants it so.
async fn run(environment: SimulatedEnvironment, members: u64) {
    let address = format!("{}:{CLIENT_PORT}", machine());
    let listener = environment.listen(&address).await.expect("nobody else is on this machine");
    let endpoint = |member| Endpoint::parse(&client_address(member)).expect("a host and a port");
    let cluster = (1..=members).map(endpoint).collect();
    let options = RouterOptions { cluster, http: HttpOptions::default() };
    quorate_router::serve(environment, listener, options, CancellationToken::new()).await;
    pending().await
}
