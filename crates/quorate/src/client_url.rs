//! The URL at which clients reach a node: what it tells the other nodes, and they their clients.

use std::net::{IpAddr, SocketAddr};

use http::uri::Uri;

use crate::configuration::ConfigurationError;

/// The setting that gives it.
const SETTING: &str = "advertise-url";

/// Reads `--advertise-url`: `http://HOST:PORT`, or `https` if something in front of the node speaks that.
pub fn parse(text: &str) -> Result<String, ConfigurationError> {
    let invalid = |why: &str| {
        invalid(format!("'{text}' {why}; give http://HOST:PORT as clients reach it, without a path"))
    };
    let uri: Uri = text.parse().map_err(|_| invalid("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(invalid("does not begin with http:// or https://"));
    }
    if uri.path() != "/" || uri.query().is_some() {
        return Err(invalid("has something behind host and port"));
    }
    let authority = uri.authority().ok_or_else(|| invalid("has no host"))?;
    if authority.as_str().contains('@') {
        return Err(invalid("has a user name"));
    }
    let host = authority.host();
    if host.is_empty() || is_unspecified(host) || authority.port_u16() == Some(0) {
        return Err(invalid("leads clients nowhere"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn is_unspecified(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.is_ok_and(|address| address.is_unspecified())
}

/// The URL of a node that was told to listen at `listen`, `HOST:PORT`, and listens at `bound`. The host
/// stays as it was written, since clients may know it by that name only; the port may have been the
/// system's choice. An error if the node listens at every address of its machine.
pub fn of_listener(listen: &str, bound: SocketAddr) -> Result<String, ConfigurationError> {
    if bound.ip().is_unspecified() {
        return Err(invalid(format!(
            "it is not set, and --listen {listen} is every address of this machine: say where clients reach \
             this node, for example --advertise-url http://HOST:{}",
            bound.port()
        )));
    }
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    Ok(format!("http://{host}:{}", bound.port()))
}

fn invalid(reason: String) -> ConfigurationError {
    ConfigurationError::Invalid { name: SETTING, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_leads_to_a_node_is_taken() {
        for (text, url) in [
            ("http://db1.example:7801", "http://db1.example:7801"),
            ("http://10.0.0.1:7801/", "http://10.0.0.1:7801"),
            ("https://db.example", "https://db.example"),
            ("http://[::1]:7801", "http://[::1]:7801"),
        ] {
            assert_eq!(parse(text).expect("leads to a node"), url);
        }
    }

    #[test]
    fn a_url_that_leads_nowhere_is_refused_with_what_to_give() {
        for text in [
            "",
            "db1:7801",
            "ftp://db1:7801",
            "http://",
            "http://0.0.0.0:7801",
            "http://[::]:7801",
            "http://db1:0",
            "http://me@db1:7801",
            "http://db1:7801/v1",
            "http://db1:7801/?x",
        ] {
            let error = parse(text).expect_err("leads nowhere").to_string();
            assert!(
                error.contains("--advertise-url") && error.contains("http://HOST:PORT"),
                "{text}: {error}"
            );
        }
    }

    #[track_caller]
    fn check_derived(listen: &str, bound: &str, expected: Option<&str>) {
        let found = of_listener(listen, bound.parse().expect("an address"));
        match (found, expected) {
            (Ok(url), Some(expected)) => assert_eq!(url, expected),
            (Err(error), None) => {
                assert!(error.to_string().contains("--advertise-url http://HOST:"), "{error}")
            }
            (found, _) => panic!("{listen}: {found:?}"),
        }
    }

    #[test]
    fn without_one_it_is_where_the_node_listens() {
        check_derived("127.0.0.1:7801", "127.0.0.1:7801", Some("http://127.0.0.1:7801"));
        check_derived("127.0.0.1:0", "127.0.0.1:41234", Some("http://127.0.0.1:41234"));
        check_derived("db1.example:0", "10.0.0.1:41234", Some("http://db1.example:41234"));
        check_derived("[::1]:7801", "[::1]:7801", Some("http://[::1]:7801"));
        check_derived("0.0.0.0:7801", "0.0.0.0:7801", None);
        check_derived("[::]:7801", "[::]:7801", None);
        check_derived("0:7801", "0.0.0.0:7801", None);
    }
}
