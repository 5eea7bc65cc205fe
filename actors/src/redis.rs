//! The connection to the configured Redis: one, without a policy of its own. Who uses it comes back, and looks at what
//! is there then. Bounded in time by the configured timeout for each exchange.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike as _;
use fred::types::ConnectHandle;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig};
use runtime::config::RedisOptions;

/// What did not work, as the client says it; it never says the password.
pub(crate) type Error = fred::error::Error;

/// Where Redis is.
#[derive(Clone)]
pub struct Options {
    config: Config,
    timeout: Duration,
}

impl Options {
    /// Reads `[redis]`; none where no Redis is configured.
    ///
    /// # Errors
    /// When the URL cannot be used, or the machine's certificate authorities cannot be read for a `rediss://` one.
    pub fn new(options: &RedisOptions) -> Result<Option<Self>, String> {
        if options.url.expose().is_empty() {
            return Ok(None);
        }
        let config = Config::from_url_centralized(options.url.expose());
        let config = config.map_err(|error| format!("redis.url: {error}"))?;
        Ok(Some(Self { config: Config { fail_fast: true, ..config }, timeout: options.timeout.get() }))
    }
}

/// One connection; it is closed with this value, and what it was to do is left.
pub(crate) struct Connection {
    /// What commands are given to.
    pub(crate) client: Client,
    handle: ConnectHandle,
}

impl Connection {
    pub(crate) async fn connect(options: &Options) -> Result<Self, Error> {
        let timeout = options.timeout;
        let performance =
            PerformanceConfig { default_command_timeout: timeout, ..PerformanceConfig::default() };
        let connection = ConnectionConfig {
            connection_timeout: timeout,
            internal_command_timeout: timeout,
            // A command whose connection is lost is not tried again: the whole is.
            max_command_attempts: 1,
            ..ConnectionConfig::default()
        };
        // Without a policy it connects once. Who comes back has to look at what is there.
        let client = Client::new(options.config.clone(), Some(performance), Some(connection), None);
        let handle = client.connect();
        let mut connection = Self { client, handle };
        let client = connection.client.clone();
        tokio::select! {
            error = connection.lost() => Err(error),
            answered = client.ping::<()>(None) => answered.map(|()| connection),
        }
    }

    /// Ends when the connection does; not to be asked again then.
    pub(crate) async fn lost(&mut self) -> Error {
        let closed = || Error::new(fred::error::ErrorKind::Canceled, "the connection was closed");
        match (&mut self.handle).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => closed(),
        }
    }

    /// Whether it answers.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.client.ping(None).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Whether it says that what is there is no hash.
pub(crate) fn is_no_hash(error: &Error) -> bool {
    error.details().starts_with("WRONGTYPE")
}

/// Something that Redis does not answer.
pub(crate) fn unexpected(text: &'static str) -> Error {
    Error::new(fred::error::ErrorKind::Protocol, text)
}
