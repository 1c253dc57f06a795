//! From flags, environment and file to the settings of a node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use quorate_http::Dialect;
use quorate_replica::{CLOCK_DRIFT_PPM_MAX, RepairPolicy, ReplicaOptions};
use quorate_storage::StorageOptions;

use crate::arguments::{ServeArguments, ServeSettings};
use crate::client_url;
use crate::dialect_addresses;

/// Settings that do not make a node.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration file {path} is not valid: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// A setting has no value and no default.
    #[error(
        "{name} is not set: give --{name}, the variable {variable}, or `{name} = …` in the configuration file"
    )]
    Missing {
        /// The setting.
        name: &'static str,
        /// Its environment variable.
        variable: &'static str,
    },
    /// A setting's value makes no sense.
    #[error("--{name}: {reason}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
}

/// One node, completely configured.
#[derive(Clone, Debug)]
pub struct NodeConfiguration {
    /// The member number.
    pub member: u64,
    /// Where the node keeps its data.
    pub data_directory: PathBuf,
    /// `HOST:PORT` for clients.
    pub listen: String,
    /// `HOST:PORT` for peers.
    pub peer_listen: String,
    /// The URL at which clients reach the node, if that is not where it listens.
    pub advertise_url: Option<String>,
    /// Where peers reach the node, if that is neither in `initial_cluster` nor where it listens.
    pub advertise_peer: Option<String>,
    /// Every initial member and where peers reach it; empty for a node that joins.
    pub initial_cluster: Vec<(u64, String)>,
    /// Peer addresses of members of the cluster that the node joins.
    pub join: Vec<String>,
    /// Whether a node that joins stays a learner.
    pub learner: bool,
    /// Whether data that is of no use for joining is set aside.
    pub force_new: bool,
    /// How often a leader says that it is alive, in milliseconds.
    pub heartbeat_interval_ms: u64,
    /// By how much the clocks of nodes may be wrong, in millionths; nothing for no lease reads.
    pub clock_drift_max_ppm: Option<u32>,
    /// Whether the node should rather not lead.
    pub avoid_leading: bool,
    /// Who repairs a state that is damaged.
    pub repair: RepairPolicy,
    /// How many bytes of records are checked in a second, in the background.
    pub scrub_bytes_per_second: u64,
    /// The dialects that the node speaks, and `HOST:PORT` of each.
    pub dialects: Vec<(Dialect, String)>,
}

impl NodeConfiguration {
    /// What the replica is started with, once the node listens for clients at `bound`. An error if the
    /// node cannot tell where clients reach it.
    pub fn replica_options(self, bound: SocketAddr) -> Result<ReplicaOptions, ConfigurationError> {
        let client_url = match self.advertise_url {
            Some(url) => url,
            None => client_url::of_listener(&self.listen, bound)?,
        };
        Ok(ReplicaOptions {
            member: self.member,
            data_directory: self.data_directory,
            peer_listen: self.peer_listen,
            client_url,
            peer_address: self.advertise_peer,
            initial_cluster: self.initial_cluster,
            join: self.join,
            stays_learner: self.learner,
            force_new: self.force_new,
            proposal_bytes_in_flight_max: PROPOSAL_BYTES_IN_FLIGHT_MAX,
            heartbeat_interval_ms: self.heartbeat_interval_ms,
            clock_drift_max_ppm: self.clock_drift_max_ppm,
            avoid_leading: self.avoid_leading,
            repair: self.repair,
            storage: StorageOptions {
                scrub_bytes_per_second: self.scrub_bytes_per_second,
                ..StorageOptions::default()
            },
        })
    }
}

/// The default heartbeat interval. Elections start five to six intervals after the last heartbeat, so a
/// failed leader is replaced in less than a second on a healthy network.
pub const HEARTBEAT_INTERVAL_MS_DEFAULT: u64 = 100;
/// The default pace of the search for damaged records: a gigabyte takes about four minutes.
pub const SCRUB_BYTES_PER_SECOND_DEFAULT: u64 = 4 << 20;
/// Bytes of writes in flight on one node.
const PROPOSAL_BYTES_IN_FLIGHT_MAX: usize = 64 << 20;

/// The configuration that `arguments` and the file that they name amount to.
pub fn load(arguments: ServeArguments) -> Result<NodeConfiguration, ConfigurationError> {
    let file = match &arguments.config {
        Some(path) => read_file(path)?,
        None => ServeSettings::default(),
    };
    resolve(merge(arguments.settings, file))
}

/// The configuration that a file with this text amounts to.
#[cfg(test)]
pub fn of_file(text: &str) -> Result<NodeConfiguration, ConfigurationError> {
    resolve(toml::from_str(text).expect("the text is a configuration file"))
}

fn read_file(path: &Path) -> Result<ServeSettings, ConfigurationError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigurationError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| ConfigurationError::Parse { path: path.to_owned(), source: Box::new(source) })
}

/// Flags and environment win over the file.
fn merge(flags: ServeSettings, file: ServeSettings) -> ServeSettings {
    ServeSettings {
        id: flags.id.or(file.id),
        data_dir: flags.data_dir.or(file.data_dir),
        listen: flags.listen.or(file.listen),
        peer_listen: flags.peer_listen.or(file.peer_listen),
        advertise_url: flags.advertise_url.or(file.advertise_url),
        advertise_peer: flags.advertise_peer.or(file.advertise_peer),
        initial_cluster: flags.initial_cluster.or(file.initial_cluster),
        join: flags.join.or(file.join),
        learner: flags.learner.or(file.learner),
        force_new: flags.force_new.or(file.force_new),
        heartbeat_interval_ms: flags.heartbeat_interval_ms.or(file.heartbeat_interval_ms),
        clock_drift_max_ppm: flags.clock_drift_max_ppm.or(file.clock_drift_max_ppm),
        avoid_leading: flags.avoid_leading.or(file.avoid_leading),
        repair: flags.repair.or(file.repair),
        scrub_bytes_per_second: flags.scrub_bytes_per_second.or(file.scrub_bytes_per_second),
        dialect: if flags.dialect.is_empty() { file.dialect } else { flags.dialect },
    }
}

fn resolve(settings: ServeSettings) -> Result<NodeConfiguration, ConfigurationError> {
    let member = settings.id.ok_or(ConfigurationError::Missing { name: "id", variable: "QUORATE_ID" })?;
    if member == 0 {
        return Err(ConfigurationError::Invalid {
            name: "id",
            reason: "member numbers start at 1".to_owned(),
        });
    }
    let data_directory = settings
        .data_dir
        .ok_or(ConfigurationError::Missing { name: "data-dir", variable: "QUORATE_DATA_DIR" })?;
    let learner = settings.learner.unwrap_or(false);
    let force_new = settings.force_new.unwrap_or(false);
    if force_new && settings.join.is_none() {
        let reason = "only a node that joins a cluster (--join) can begin anew".to_owned();
        return Err(ConfigurationError::Invalid { name: "force-new", reason });
    }
    let ClusterSettings { initial_cluster, join } =
        resolve_cluster(member, settings.initial_cluster, settings.join, learner)?;
    let listen = settings.listen.unwrap_or_else(|| "127.0.0.1:7801".to_owned());
    check_address("listen", &listen)?;
    let peer_listen = settings.peer_listen.unwrap_or_else(|| "127.0.0.1:7901".to_owned());
    check_address("peer-listen", &peer_listen)?;
    if let Some(address) = &settings.advertise_peer {
        check_address("advertise-peer", address)?;
    } else if !join.is_empty() {
        check_reachable(&peer_listen)?;
    }
    let heartbeat_interval_ms = settings.heartbeat_interval_ms.unwrap_or(HEARTBEAT_INTERVAL_MS_DEFAULT);
    if !(10..=10_000).contains(&heartbeat_interval_ms) {
        let reason = format!("{heartbeat_interval_ms} is not between 10 and 10000 milliseconds");
        return Err(ConfigurationError::Invalid { name: "heartbeat-interval-ms", reason });
    }
    let advertise_url = settings.advertise_url.map(|url| client_url::parse(&url)).transpose()?;
    Ok(NodeConfiguration {
        member,
        data_directory,
        listen,
        peer_listen,
        advertise_url,
        advertise_peer: settings.advertise_peer,
        initial_cluster,
        join,
        learner,
        force_new,
        heartbeat_interval_ms,
        clock_drift_max_ppm: settings.clock_drift_max_ppm.map(check_clock_drift).transpose()?,
        avoid_leading: settings.avoid_leading.unwrap_or(false),
        repair: settings.repair.as_deref().map_or(Ok(RepairPolicy::default()), parse_repair_policy)?,
        scrub_bytes_per_second: settings.scrub_bytes_per_second.unwrap_or(SCRUB_BYTES_PER_SECOND_DEFAULT),
        dialects: dialect_addresses::of_one_node(&settings.dialect)?,
    })
}

/// Where the cluster is: one of the two is empty.
struct ClusterSettings {
    initial_cluster: Vec<(u64, String)>,
    join: Vec<String>,
}

/// The cluster that the node founds together with others, or the one that it joins.
fn resolve_cluster(
    member: u64,
    initial_cluster: Option<String>,
    join: Option<String>,
    learner: bool,
) -> Result<ClusterSettings, ConfigurationError> {
    let invalid = |name, reason: &str| Err(ConfigurationError::Invalid { name, reason: reason.to_owned() });
    match (initial_cluster, join) {
        (Some(_), Some(_)) => invalid("join", "give either --initial-cluster or --join, not both"),
        (None, Some(join)) => Ok(ClusterSettings { initial_cluster: Vec::new(), join: parse_join(&join)? }),
        _ if learner => invalid("learner", "only a node that joins a cluster (--join) can be a learner"),
        (Some(initial_cluster), None) => {
            let initial_cluster = parse_initial_cluster(&initial_cluster)?;
            if !initial_cluster.iter().any(|(number, _)| *number == member) {
                let reason =
                    format!("member {member} (--id) is not in it; every node must be given the same list");
                return Err(ConfigurationError::Invalid { name: "initial-cluster", reason });
            }
            Ok(ClusterSettings { initial_cluster, join: Vec::new() })
        }
        (None, None) => {
            Err(ConfigurationError::Missing { name: "initial-cluster", variable: "QUORATE_INITIAL_CLUSTER" })
        }
    }
}

/// Reads `HOST:PORT,HOST:PORT`.
fn parse_join(text: &str) -> Result<Vec<String>, ConfigurationError> {
    let addresses: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if addresses.is_empty() {
        let reason = "it is empty; list the peer addresses of some members as HOST:PORT, comma-separated";
        return Err(ConfigurationError::Invalid { name: "join", reason: reason.to_owned() });
    }
    for address in &addresses {
        check_address("join", address)?;
    }
    Ok(addresses.into_iter().map(str::to_owned).collect())
}

/// Refuses an address at which a node listens, but that means nothing to others.
fn check_reachable(address: &str) -> Result<(), ConfigurationError> {
    let reason = match address.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => "it listens at every address of its machine",
        Ok(address) if address.port() == 0 => "it listens at a port that is not known beforehand",
        _ => return Ok(()),
    };
    let reason = format!("{reason}: say with --advertise-peer where the others reach it");
    Err(ConfigurationError::Invalid { name: "peer-listen", reason })
}

fn check_clock_drift(ppm: u32) -> Result<u32, ConfigurationError> {
    if ppm <= CLOCK_DRIFT_PPM_MAX {
        return Ok(ppm);
    }
    let reason = format!("{ppm} millionths are more than the limit of {CLOCK_DRIFT_PPM_MAX}");
    Err(ConfigurationError::Invalid { name: "clock-drift-max-ppm", reason })
}

fn parse_repair_policy(name: &str) -> Result<RepairPolicy, ConfigurationError> {
    RepairPolicy::from_name(name).ok_or_else(|| {
        let names = RepairPolicy::ALL.map(RepairPolicy::name).join(" or ");
        ConfigurationError::Invalid { name: "repair", reason: format!("'{name}' is not {names}") }
    })
}

/// Reads `1=HOST:PORT,2=HOST:PORT`.
fn parse_initial_cluster(text: &str) -> Result<Vec<(u64, String)>, ConfigurationError> {
    let invalid = |reason: String| ConfigurationError::Invalid { name: "initial-cluster", reason };
    let mut members: Vec<(u64, String)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (number, address) = part.split_once('=').ok_or_else(|| {
            invalid(format!("'{part}' is not NUMBER=HOST:PORT, for example 1=10.0.0.1:7901"))
        })?;
        let number: u64 =
            number.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                invalid(format!("'{number}' in '{part}' is not a member number, 1 or greater"))
            })?;
        check_address("initial-cluster", address)?;
        if members.iter().any(|(known, _)| *known == number) {
            return Err(invalid(format!("member {number} is listed twice")));
        }
        members.push((number, address.to_owned()));
    }
    if members.is_empty() {
        return Err(invalid(
            "it is empty; list every member as NUMBER=HOST:PORT, comma-separated".to_owned(),
        ));
    }
    Ok(members)
}

/// Refuses what is no `HOST:PORT`.
pub fn check_address(name: &'static str, address: &str) -> Result<(), ConfigurationError> {
    let valid =
        address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if valid {
        Ok(())
    } else {
        let reason = format!("'{address}' is not HOST:PORT, for example 127.0.0.1:7801");
        Err(ConfigurationError::Invalid { name, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> ServeSettings {
        ServeSettings {
            id: Some(2),
            data_dir: Some("data".into()),
            initial_cluster: Some("1=a:1,2=b:2".to_owned()),
            ..ServeSettings::default()
        }
    }

    fn refusal(settings: ServeSettings) -> String {
        resolve(settings).expect_err("the settings are refused").to_string()
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: ServeSettings =
            toml::from_str("id = 7\ndata-dir = \"d\"\nlisten = \"h:1\"\n").expect("valid settings");
        let merged = merge(ServeSettings { id: Some(2), ..ServeSettings::default() }, file);
        assert_eq!((merged.id, merged.listen.as_deref()), (Some(2), Some("h:1")));
    }

    #[test]
    fn dialects_come_from_the_flags_or_from_the_file() {
        let file = || -> ServeSettings {
            toml::from_str("dialect = [\"kv-db=h:1\", \"keyval=h:2\"]\n").expect("valid settings")
        };
        let of = |flags: ServeSettings| resolve(merge(flags, file())).expect("complete").dialects;
        let from_file = [(Dialect::KvDb, "h:1".to_owned()), (Dialect::Keyval, "h:2".to_owned())];
        assert_eq!(of(complete()), from_file);
        let flag = ServeSettings { dialect: vec!["kv-db=h:3".to_owned()], ..complete() };
        assert_eq!(of(flag), [(Dialect::KvDb, "h:3".to_owned())]);
        assert_eq!(resolve(complete()).expect("complete").dialects, [], "off by default");
    }

    #[test]
    fn an_unknown_setting_in_the_file_is_refused() {
        let error = toml::from_str::<ServeSettings>("lisen = \"h:1\"").expect_err("a misspelt setting");
        assert!(error.to_string().contains("lisen"), "{error}");
    }

    #[test]
    fn defaults_fill_what_is_not_set() {
        let node = resolve(complete()).expect("complete settings");
        assert_eq!(node.listen, "127.0.0.1:7801");
        assert_eq!(node.initial_cluster, vec![(1, "a:1".to_owned()), (2, "b:2".to_owned())]);
        let bound = "127.0.0.1:7801".parse().expect("an address");
        let options = node.replica_options(bound).expect("clients can reach it");
        assert_eq!(options.client_url, "http://127.0.0.1:7801");
    }

    #[test]
    fn an_advertised_url_wins_over_the_address_and_has_to_be_one() {
        let advertise = |url: &str| ServeSettings { advertise_url: Some(url.to_owned()), ..complete() };
        let node = resolve(advertise("http://db2.example:80")).expect("complete settings");
        let everywhere = "0.0.0.0:7801".parse().expect("an address");
        assert_eq!(
            node.replica_options(everywhere).expect("clients can reach it").client_url,
            "http://db2.example:80"
        );
        assert!(refusal(advertise("db2.example")).contains("--advertise-url"));
    }

    #[test]
    fn a_node_repairs_itself_only_if_told_to() {
        let repair = |policy: &str| ServeSettings { repair: Some(policy.to_owned()), ..complete() };
        assert_eq!(resolve(complete()).expect("complete settings").repair, RepairPolicy::Manual);
        let node = resolve(repair("automatic")).expect("complete settings");
        assert_eq!(node.repair, RepairPolicy::Automatic);
        let text = refusal(repair("sometimes"));
        assert!(text.contains("--repair") && text.contains("manual or automatic"), "{text}");
    }

    #[test]
    fn a_clock_that_is_wrong_by_half_is_not_a_clock() {
        let drift = |ppm| ServeSettings { clock_drift_max_ppm: Some(ppm), ..complete() };
        let node = resolve(drift(500)).expect("complete settings");
        assert_eq!(node.clock_drift_max_ppm, Some(500));
        assert_eq!(resolve(complete()).expect("complete settings").clock_drift_max_ppm, None);
        assert!(refusal(drift(500_000)).contains("--clock-drift-max-ppm"));
    }

    #[test]
    fn a_missing_setting_is_named_with_every_way_to_give_it() {
        let text = refusal(ServeSettings { id: None, ..complete() });
        assert!(text.contains("--id") && text.contains("QUORATE_ID"), "{text}");
    }

    #[test]
    fn a_node_that_joins_needs_addresses_of_members_and_one_of_its_own() {
        let joining =
            |join: &str| ServeSettings { initial_cluster: None, join: Some(join.to_owned()), ..complete() };
        let node = resolve(ServeSettings { learner: Some(true), ..joining("a:1, b:2") }).expect("complete");
        assert_eq!((node.join, node.learner), (vec!["a:1".to_owned(), "b:2".to_owned()], true));
        assert!(refusal(joining(",")).contains("empty"));
        assert!(refusal(joining("a")).contains("HOST:PORT"));
        let both = ServeSettings { join: Some("a:1".to_owned()), ..complete() };
        assert!(refusal(both).contains("not both"));
        assert!(refusal(ServeSettings { learner: Some(true), ..complete() }).contains("--join"));
        let everywhere = || ServeSettings { peer_listen: Some("0.0.0.0:7901".to_owned()), ..joining("a:1") };
        assert!(refusal(everywhere()).contains("--advertise-peer"));
        let advertised = ServeSettings { advertise_peer: Some("c:3".to_owned()), ..everywhere() };
        assert_eq!(resolve(advertised).expect("complete").advertise_peer.as_deref(), Some("c:3"));
    }

    #[test]
    fn members_that_do_not_fit_are_refused() {
        for (cluster, expected) in [
            ("1=a:1", "member 2"),
            ("2=b", "HOST:PORT"),
            ("2:b:1", "NUMBER=HOST:PORT"),
            ("0=a:1,2=b:2", "1 or greater"),
            ("2=a:1,2=b:2", "twice"),
            ("", "empty"),
        ] {
            let text = refusal(ServeSettings { initial_cluster: Some(cluster.to_owned()), ..complete() });
            assert!(text.contains(expected), "{cluster}: {text}");
        }
    }
}
