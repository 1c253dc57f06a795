//! How a node is started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::Cluster;
use crate::arguments::Target;

/// A node's command, before it is run on its machine.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Environment variables that the program gets, and nobody on the way to it (`LD_PRELOAD` must not change
    /// `nsenter`).
    pub environment: BTreeMap<String, OsString>,
    /// Where the node has its data.
    pub data_directory: PathBuf,
}

impl Cluster {
    /// How a node is started, before anything is put under it.
    pub(super) fn launch(&self, node: u8, joins: bool) -> Launch {
        let data = self.node(node).data.clone();
        let (client, peer) = (self.client_address(node), self.peer_address(node));
        let others = |separator: &str| {
            let named = |other: u8| format!("{other}{separator}{}", self.peer_address(other));
            self.nodes().into_iter().map(named).collect::<Vec<_>>().join(",")
        };
        let mut arguments: Vec<OsString> = Vec::new();
        match self.plan.target {
            Target::Quorate => {
                let (listen, peer_listen) = (client.to_string(), peer.to_string());
                let words =
                    ["serve", "--id", &node.to_string(), "--listen", &listen, "--peer-listen", &peer_listen];
                arguments.extend(words.map(OsString::from));
                let contacts = self.nodes().into_iter().filter(|&other| other != node);
                let contacts: Vec<_> = contacts.map(|other| self.peer_address(other).to_string()).collect();
                let (option, value) =
                    if joins { ("--join", contacts.join(",")) } else { ("--initial-cluster", others("=")) };
                arguments.extend([option.into(), value.into(), "--data-dir".into(), data.clone().into()]);
            }
            Target::Etcd => {
                let (client, peer) = (format!("http://{client}"), format!("http://{peer}"));
                let options = [
                    ("--name", node.to_string()),
                    ("--listen-client-urls", client.clone()),
                    ("--advertise-client-urls", client),
                    ("--listen-peer-urls", peer.clone()),
                    ("--initial-advertise-peer-urls", peer),
                    ("--initial-cluster", others("=http://")),
                    ("--initial-cluster-state", "new".into()),
                ];
                for (option, value) in options {
                    arguments.extend([OsString::from(option), value.into()]);
                }
                arguments.extend(["--data-dir".into(), data.clone().into()]);
            }
        }
        let program = self.plan.program.clone();
        Launch { program, arguments, environment: BTreeMap::new(), data_directory: data }
    }
}
