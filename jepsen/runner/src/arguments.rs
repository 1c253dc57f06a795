//! How a run is asked for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Which store is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This one.
    Quorate,
    /// etcd, of the system; with kill, pause and partition only.
    Etcd,
}

/// Try real processes under real faults, and judge what their clients saw.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(name = "quorate-runner", after_help = EXIT_CODES)]
pub struct Arguments {
    /// How many nodes the cluster has.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=9), value_name = "NUMBER")]
    pub nodes: u8,
    /// For how many seconds clients work and faults strike. Healing and judging come on top.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub seconds: u64,
    /// What decides which faults strike when, and what clients ask.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
    /// Which faults strike: names, comma-separated, `all` or `none`. `--list` names them.
    #[arg(long, default_value = "all", value_delimiter = ',', value_name = "NAMES")]
    pub nemesis: Vec<String>,
    /// What clients do: names, comma-separated, or `all`. `--list` names them.
    #[arg(long, default_value = "all", value_delimiter = ',', value_name = "NAMES")]
    pub workload: Vec<String>,
    /// How many operations all clients together begin in a second.
    #[arg(long, default_value_t = 400, value_name = "NUMBER")]
    pub rate: u32,
    /// The store.
    #[arg(long, value_enum, default_value_t = Target::Quorate)]
    pub target: Target,
    /// The store's program. By default the one that the system finds.
    #[arg(long, visible_alias = "quorate", value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Where the report, the histories and the nodes' logs go. Made if it does not exist; what an earlier run left
    /// there is replaced.
    #[arg(long, value_name = "FOLDER", default_value = "target/jepsen-run")]
    pub output: PathBuf,
    /// Keep the nodes' data as well.
    #[arg(long)]
    pub keep_data: bool,
    /// Do without namespaces: nodes are processes on the loopback device, and faults of the network are left out.
    #[arg(long)]
    pub no_isolation: bool,
    /// Name the faults and workloads, and which of them are possible here, and end.
    #[arg(long)]
    pub list: bool,
}

const EXIT_CODES: &str = "Exit codes:
  0  every history is as it should be, and the cluster came back after the last fault
  1  the store is convicted: the report shows by what
  2  a limit was reached before there was a verdict
  3  the command line is wrong
  4  the harness failed: that says nothing about the store";
