//! The links between nodes: which are cut, and how the network is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use madsim::net::NetSim;
use madsim::task::NodeId;

use crate::plan::NetworkPlan;

/// From a member to a member.
pub type Link = (u64, u64);

/// Something that is wrong with the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// A part of the messages is lost.
    Loss {
        /// How many of a hundred.
        percent: u64,
    },
    /// Messages take so long.
    Delay(NetworkPlan),
}

/// What is wrong with the network, by the fault that did it. Faults overlap; a link works again when
/// the last fault that cut it has ended.
#[derive(Debug)]
pub(super) struct Links {
    nodes: BTreeMap<u64, NodeId>,
    base: NetworkPlan,
    cuts: BTreeMap<usize, Vec<Link>>,
    weather: BTreeMap<usize, Weather>,
    clogged: BTreeSet<Link>,
}

impl Links {
    /// The links between `nodes`, all well.
    pub(super) fn new(nodes: BTreeMap<u64, NodeId>, base: NetworkPlan) -> Self {
        let links =
            Self { nodes, base, cuts: BTreeMap::new(), weather: BTreeMap::new(), clogged: BTreeSet::new() };
        links.apply_weather();
        links
    }

    /// The fault with this number cuts these links.
    pub(super) fn cut(&mut self, fault: usize, links: Vec<Link>) {
        self.cuts.insert(fault, links);
        self.apply_cuts();
    }

    /// The fault with this number makes this weather.
    pub(super) fn set_weather(&mut self, fault: usize, weather: Weather) {
        self.weather.insert(fault, weather);
        self.apply_weather();
    }

    /// The fault with this number has ended.
    pub(super) fn mend(&mut self, fault: usize) {
        if self.cuts.remove(&fault).is_some() {
            self.apply_cuts();
        }
        if self.weather.remove(&fault).is_some() {
            self.apply_weather();
        }
    }

    fn apply_cuts(&mut self) {
        let network = NetSim::current();
        let wanted: BTreeSet<Link> = self.cuts.values().flatten().copied().collect();
        for (from, to) in wanted.difference(&self.clogged) {
            network.clog_link(self.nodes[from], self.nodes[to]);
        }
        for (from, to) in self.clogged.difference(&wanted) {
            network.unclog_link(self.nodes[from], self.nodes[to]);
        }
        self.clogged = wanted;
    }

    fn apply_weather(&self) {
        let (mut percent, mut latency) = (0, self.base);
        for weather in self.weather.values() {
            match *weather {
                Weather::Loss { percent: lost } => percent = percent.max(lost),
                Weather::Delay(delay) => latency = delay,
            }
        }
        let range =
            Duration::from_micros(latency.latency_min_us)..Duration::from_micros(latency.latency_max_us);
        NetSim::current().update_config(|config| {
            config.packet_loss_rate = percent as f64 / 100.0;
            config.send_latency = range;
        });
    }
}
