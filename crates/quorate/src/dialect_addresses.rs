//! Where a node speaks which dialect: `--dialect`.

use quorate_http::Dialect;

use crate::configuration::{ConfigurationError, check_address};

/// The setting that says it.
const SETTING: &str = "dialect";

/// Reads `NAME=HOST:PORT` of each dialect that one node speaks.
pub fn of_one_node(texts: &[String]) -> Result<Vec<(Dialect, String)>, ConfigurationError> {
    let nodes = of_nodes::<1>(texts)?;
    Ok(nodes.into_iter().flatten().collect())
}

/// Reads `NAME=HOST:PORT,HOST:PORT,…`, an address for each of so many nodes. The answer has the dialects of each
/// node.
pub fn of_nodes<const NODES: usize>(
    texts: &[String],
) -> Result<[Vec<(Dialect, String)>; NODES], ConfigurationError> {
    let mut nodes = [const { Vec::new() }; NODES];
    for text in texts {
        let (dialect, addresses) = parse::<NODES>(text.trim())?;
        for (node, address) in nodes.iter_mut().zip(addresses) {
            if node.iter().any(|(known, _)| *known == dialect) {
                return Err(invalid(format!("{} is given twice", dialect.name())));
            }
            node.push((dialect, address.to_owned()));
        }
    }
    Ok(nodes)
}

fn parse<const NODES: usize>(text: &str) -> Result<(Dialect, [&str; NODES]), ConfigurationError> {
    let (name, addresses) =
        text.split_once('=').ok_or_else(|| invalid(format!("'{text}' is not {}", form(NODES))))?;
    let dialect = Dialect::from_name(name).ok_or_else(|| {
        let names = Dialect::ALL.map(Dialect::name).join(", ");
        invalid(format!("there is no dialect '{name}'; there are {names}"))
    })?;
    let addresses: Vec<_> = addresses.split(',').map(str::trim).collect();
    for address in &addresses {
        check_address(SETTING, address)?;
    }
    let count = addresses.len();
    let addresses = addresses.try_into().map_err(|_| {
        invalid(format!("'{text}' has {count} addresses and not {NODES}: give {}", form(NODES)))
    })?;
    Ok((dialect, addresses))
}

fn form(nodes: usize) -> String {
    format!("NAME={}", vec!["HOST:PORT"; nodes].join(","))
}

fn invalid(reason: String) -> ConfigurationError {
    ConfigurationError::Invalid { name: SETTING, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn each_node_is_given_its_address_of_each_dialect() {
        let given = texts(&["kv-db=a:1,b:2,c:3", "keyval=a:4, b:5,c:6"]);
        let [first, second, _] = of_nodes::<3>(&given).expect("well formed");
        assert_eq!(first, [(Dialect::KvDb, "a:1".to_owned()), (Dialect::Keyval, "a:4".to_owned())]);
        assert_eq!(second, [(Dialect::KvDb, "b:2".to_owned()), (Dialect::Keyval, "b:5".to_owned())]);
        assert_eq!(of_one_node(&[]).expect("none are fine"), []);
        let one = of_one_node(&texts(&["simplekv=[::1]:8080"])).expect("well formed");
        assert_eq!(one, [(Dialect::Simplekv, "[::1]:8080".to_owned())]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (given, mention) in [
            (&["kv-db"][..], "'kv-db' is not NAME=HOST:PORT,HOST:PORT,HOST:PORT"),
            (&["etcd=a:1,b:2,c:3"], "cluster-kv, simplekv, kv-db, memberlist, keyval"),
            (&["kv-db=a:1,b:2"], "2 addresses and not 3"),
            (&["kv-db=a:1,b:2,c:3,d:4"], "4 addresses"),
            (&["kv-db=a:1,b:2,c"], "'c' is not HOST:PORT"),
            (&["kv-db=a:1,b:2,c:3", "kv-db=a:4,b:5,c:6"], "kv-db is given twice"),
        ] {
            let error = of_nodes::<3>(&texts(given)).expect_err("refused").to_string();
            assert!(error.contains("--dialect") && error.contains(mention), "{given:?}: {error}");
        }
        let error = of_one_node(&texts(&["kv-db=a:1,b:2"])).expect_err("refused").to_string();
        assert!(error.contains("NAME=HOST:PORT") && error.contains("not 1"), "{error}");
    }
}
