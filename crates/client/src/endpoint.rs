//! Where a node is.

use http::uri::{Authority, Scheme, Uri};

use crate::error::ClientError;

/// The port of an endpoint that has none.
const PORT_DEFAULT: u16 = 80;

/// The base URL of a node: `http://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    authority: Authority,
}

impl Endpoint {
    /// Reads `http://HOST:PORT`; the scheme may be left out.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let settings = |why: &str| ClientError::Settings(format!("the endpoint {text:?} {why}"));
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = with_scheme.parse().map_err(|_| settings("is not of the form http://HOST:PORT"))?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(settings("has a scheme other than http"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(settings("has more than a host and a port"));
        }
        let authority = uri.authority().cloned().ok_or_else(|| settings("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(settings("has a user name, for which there is no use"));
        }
        Ok(Self { authority })
    }

    /// Host and port as they were written.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// Where to connect to.
    pub fn address(&self) -> String {
        format!("{}:{}", self.authority.host(), self.authority.port_u16().unwrap_or(PORT_DEFAULT))
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "http://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for text in ["http://127.0.0.1:7001", "127.0.0.1:7001", "http://127.0.0.1:7001/"] {
            let endpoint = Endpoint::parse(text).expect("is an endpoint");
            assert_eq!((endpoint.authority(), &endpoint.address()[..]), ("127.0.0.1:7001", "127.0.0.1:7001"));
            assert_eq!(endpoint.to_string(), "http://127.0.0.1:7001");
        }
        for (text, address) in [("http://[::1]:7001", "[::1]:7001"), ("http://db.example", "db.example:80")] {
            assert_eq!(Endpoint::parse(text).expect("is an endpoint").address(), address);
        }
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in ["", "https://a:1", "http://", "http://a:1/v1", "http://a:1/?x", "http://me@a:1", "a b"] {
            let error = Endpoint::parse(text).expect_err("is not an endpoint");
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
