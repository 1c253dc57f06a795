//! How a client is set up.

use std::time::Duration;

use quorate_environment::{Environment, TokioEnvironment};

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::ClientError;
use crate::nodes::Nodes;

/// The shortest time to live that sessions are opened with if nothing is said.
const SESSION_TTL_MIN: Duration = Duration::from_secs(60);

/// The settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder<E = TokioEnvironment> {
    environment: E,
    endpoints: Vec<String>,
    timeout: Duration,
    answer_bytes_max: usize,
    with_sessions: bool,
    session_ttl: Option<Duration>,
    follows_members: bool,
}

impl ClientBuilder {
    /// A client of the nodes at `endpoints` (`http://HOST:PORT`).
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            environment: TokioEnvironment::new(),
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            timeout: quorate_api::query::TIMEOUT_DEFAULT,
            answer_bytes_max: 64 << 20,
            with_sessions: true,
            session_ttl: None,
            follows_members: true,
        }
    }
}

impl<E: Environment> ClientBuilder<E> {
    /// Where the client gets its time, connections and random numbers from: the real world by default. A
    /// simulation gives its own.
    pub fn environment<F: Environment>(self, environment: F) -> ClientBuilder<F> {
        let Self { environment: _, endpoints, timeout, answer_bytes_max, .. } = self;
        let Self { with_sessions, session_ttl, follows_members, .. } = self;
        ClientBuilder {
            environment,
            endpoints,
            timeout,
            answer_bytes_max,
            with_sessions,
            session_ttl,
            follows_members,
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

    /// After how long without a write the client's sessions expire. By default a minute or, if that is longer,
    /// three times the timeout.
    pub fn session_ttl(mut self, ttl: Duration) -> Self {
        self.session_ttl = Some(ttl);
        self
    }

    /// Writes without sessions: one round trip less for a client that writes once, but a write that was sent
    /// and not answered is not tried again, and its outcome is unknown.
    pub fn without_sessions(mut self) -> Self {
        self.with_sessions = false;
        self
    }

    /// Whether the client learns from the nodes who the members are, and goes to those, wherever they are said
    /// to be. It does by default, and falls back to the endpoints. Switch it off where the endpoints are not
    /// nodes but something in front of them, a load balancer or `quorate route`, that requests are to pass.
    pub fn follow_members(mut self, follows: bool) -> Self {
        self.follows_members = follows;
        self
    }

    /// The client. Connects to nothing yet.
    pub fn build(self) -> Result<Client<E>, ClientError> {
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
        let session_ttl = self.session_ttl.unwrap_or(SESSION_TTL_MIN.max(3 * self.timeout));
        let session_ttl = self.with_sessions.then_some(session_ttl);
        let nodes =
            Nodes::new(self.environment.clone(), endpoints, self.answer_bytes_max, self.follows_members);
        Ok(Client::of(self.environment, nodes, self.timeout, session_ttl))
    }
}
