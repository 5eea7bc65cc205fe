//! A mail, and the ways by which one leaves: a relay, or a file where there is none.
//!
//! Knows no invitation and keeps nothing: what waits and is tried again is the [`mailer`](crate::mailer)'s.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::header::ContentTransferEncoding;
use lettre::message::{Body, Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::{AsyncSmtpTransport, Error as SmtpError};
use lettre::{AsyncTransport as _, Message, Tokio1Executor};
use runtime::clock::Timestamp;
use runtime::config::{MailOptions, SmtpSecurity};
use runtime::model::Email;
use tokio::time::timeout;
use uuid::Uuid;

/// Time for a whole exchange with the relay.
const RELAY_TIMEOUT: Duration = Duration::from_secs(30);
/// Octets of a line without its end (RFC 5322, 2.1.1).
const LINE_OCTETS_MAX: usize = 998;
/// Directory of mails under the data directory.
const DIRECTORY: &str = "mail";

/// A mail to one person. It may carry a secret and is not printed.
pub(crate) struct Mail {
    /// Its Message-ID, and the name of its file.
    pub(crate) id: Uuid,
    pub(crate) to: Email,
    pub(crate) subject: String,
    /// Plain text.
    pub(crate) text: String,
    pub(crate) written_at: Timestamp,
}

/// How mails leave.
enum Transport {
    /// Each becomes a file here, for people who read them there.
    File(PathBuf),
    /// A relay takes them.
    Smtp,
}

/// Sends mails.
pub(crate) struct Postbox {
    options: MailOptions,
    transport: Transport,
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// `[mail] from` is none.
    #[error("[mail] from is not an address")]
    Sender,
    /// An address that no mail can be sent to.
    #[error("an address cannot be written into a mail: {0}")]
    Address(#[from] AddressError),
    /// What lettre says.
    #[error("the mail cannot be written: {0}")]
    Form(#[from] lettre::error::Error),
    /// The file cannot be written.
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
    /// The relay cannot be reached, or refuses.
    #[error("the relay {host}: {source}")]
    Relay { host: String, source: SmtpError },
    /// The relay takes too long.
    #[error("the relay {host} did not take it within {RELAY_TIMEOUT:?}")]
    Late { host: String },
}

impl Error {
    /// Whether another try would end the same way.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Sender | Self::Address(_) | Self::Form(_) => true,
            Self::File { .. } | Self::Late { .. } => false,
            Self::Relay { source, .. } => source.is_permanent(),
        }
    }
}

impl Postbox {
    /// By the relay that is configured, or by files under `data_dir`.
    pub(crate) fn new(options: MailOptions, data_dir: &Path) -> Self {
        let transport = if options.smtp_host.is_empty() {
            Transport::File(data_dir.join(DIRECTORY))
        } else {
            Transport::Smtp
        };
        Self { options, transport }
    }

    /// The URL of a page of the console; what stands behind the `#` is not sent to any server.
    pub(crate) fn link(&self, page: &str, fragment: &str) -> String {
        format!("{}/{page}#{fragment}", self.options.link_base.trim_end_matches('/'))
    }

    /// Hands a mail over.
    pub(crate) async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let message = self.compose(mail)?;
        match &self.transport {
            Transport::File(directory) => write(directory.clone(), mail, message.formatted()).await,
            Transport::Smtp => self.relay(message).await,
        }
    }

    /// RFC 5322.
    fn compose(&self, mail: &Mail) -> Result<Message, Error> {
        let (name, address) = self.options.sender().ok_or(Error::Sender)?;
        let name = (!name.is_empty()).then(|| name.to_owned());
        let message = Message::builder()
            .from(Mailbox::new(name, address.as_str().parse()?))
            .to(Mailbox::new(None, mail.to.as_str().parse()?))
            .subject(mail.subject.clone())
            .date(time(mail.written_at))
            .message_id(Some(format!("<{}@{}>", mail.id, address.domain())))
            .singlepart(SinglePart::plain(body(&mail.text)))?;
        Ok(message)
    }

    /// A connection for each mail: there are few.
    async fn relay(&self, message: Message) -> Result<(), Error> {
        let MailOptions { smtp_host, smtp_port, smtp_security, smtp_user, smtp_password, .. } = &self.options;
        let failed = |source| Error::Relay { host: smtp_host.clone(), source };
        let relay = match smtp_security {
            SmtpSecurity::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(smtp_host),
            SmtpSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(smtp_host),
            SmtpSecurity::None => {
                Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp_host.as_str()))
            }
        };
        let mut relay = relay.map_err(failed)?.port(*smtp_port).timeout(Some(RELAY_TIMEOUT));
        if !smtp_user.is_empty() {
            let password = smtp_password.expose().to_owned();
            relay = relay.credentials(Credentials::new(smtp_user.clone(), password));
        }
        let relay: AsyncSmtpTransport<Tokio1Executor> = relay.build();
        match timeout(RELAY_TIMEOUT, relay.send(message)).await {
            Ok(taken) => taken.map(|_| ()).map_err(failed),
            Err(_) => Err(Error::Late { host: smtp_host.clone() }),
        }
    }
}

/// Text as it is where it fits into the lines of a mail, so that a link is not folded; else encoded.
fn body(text: &str) -> Body {
    let lines = text.lines().all(|line| line.len() <= LINE_OCTETS_MAX);
    if !lines || !text.is_ascii() || text.contains(['\r', '\0']) {
        return Body::new(text.to_owned());
    }
    Body::dangerous_pre_encoded(text.replace('\n', "\r\n").into_bytes(), ContentTransferEncoding::SevenBit)
}

fn time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + at.since(Timestamp::from_micros(0))
}

/// Writes a mail into a file that only the node's own user may read. It has its name when it is whole.
async fn write(directory: PathBuf, mail: &Mail, octets: Vec<u8>) -> Result<(), Error> {
    let (seconds, id) = (mail.written_at.micros() / 1_000_000, mail.id);
    let path = directory.join(format!("{seconds}-{id}.eml"));
    let shown = path.display().to_string();
    let written = tokio::task::spawn_blocking(move || {
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let part = path.with_extension("part");
        // Of a try that failed.
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(&octets)?;
        file.sync_all()?;
        std::fs::rename(part, path)
    });
    let written = written.await.unwrap_or_else(|lost| Err(io::Error::other(lost)));
    written.map_err(|source| Error::File { path: shown, source })
}

#[cfg(test)]
mod tests;
