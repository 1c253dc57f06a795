//! How a client is set up.

use std::time::Duration;

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::ClientError;

/// The settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    endpoints: Vec<String>,
    timeout: Duration,
    answer_bytes_max: usize,
}

impl ClientBuilder {
    /// A client of the nodes at `endpoints` (`http://HOST:PORT`).
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            timeout: quorate_api::query::TIMEOUT_DEFAULT,
            answer_bytes_max: 64 << 20,
        }
    }

    /// How long a request may take, with all its attempts. 5 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The longest answer to accept, in bytes. 64 MiB by default.
    pub fn answer_bytes_max(mut self, answer_bytes_max: usize) -> Self {
        self.answer_bytes_max = answer_bytes_max;
        self
    }

    /// The client. Connects to nothing yet.
    pub fn build(self) -> Result<Client, ClientError> {
        if self.endpoints.is_empty() {
            return Err(ClientError::Settings("a client needs at least one endpoint".to_owned()));
        }
        let longest = quorate_api::query::TIMEOUT_MAX;
        if self.timeout.is_zero() || self.timeout > longest {
            let longest_s = longest.as_secs();
            let message = format!("a timeout is more than zero and at most {longest_s} seconds");
            return Err(ClientError::Settings(message));
        }
        let endpoints =
            self.endpoints.iter().map(|text| Endpoint::parse(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Client::of(endpoints, self.timeout, self.answer_bytes_max))
    }
}
