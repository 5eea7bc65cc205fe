//! `[mail]`

use std::net::IpAddr;

use serde::Deserialize;
use url::Url;

use super::{Error, check};
use crate::model::Email;
use crate::password::SecretString;

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailOptions {
    /// Relay that takes our mail; empty: every mail becomes a file in `DATA/mail`.
    pub smtp_host: String,
    /// Its port.
    pub smtp_port: u16,
    /// How the connection to it is kept secret.
    pub smtp_security: SmtpSecurity,
    /// Our name there; empty: we do not log in.
    pub smtp_user: String,
    /// Our password there.
    pub smtp_password: SecretString,
    /// Who our mails are from: `address` or `Name <address>`.
    pub from: String,
    /// URL of the console, which the links of mails lead to.
    pub link_base: String,
}

/// How a connection to a relay is kept secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// Plain until STARTTLS, which must succeed (RFC 3207).
    Starttls,
    /// TLS from the first octet (RFC 8314, 3.3).
    Tls,
    /// Plain: for a relay on this machine.
    None,
}

impl Default for MailOptions {
    fn default() -> Self {
        Self {
            smtp_host: String::new(),
            smtp_port: 587,
            smtp_security: SmtpSecurity::Starttls,
            smtp_user: String::new(),
            smtp_password: SecretString::new(""),
            from: "WARP <noreply@warp.invalid>".to_owned(),
            link_base: "http://localhost:8080".to_owned(),
        }
    }
}

impl MailOptions {
    /// Name, which may be empty, and address of `from`; none when it is no address.
    #[must_use]
    pub fn sender(&self) -> Option<(&str, Email)> {
        let Some((name, rest)) = self.from.split_once('<') else {
            return self.from.trim().parse().ok().map(|address| ("", address));
        };
        let address = rest.strip_suffix('>')?.parse().ok()?;
        let name = name.trim();
        (!name.chars().any(char::is_control)).then_some((name, address))
    }

    /// Refuses what would only fail when the first mail is sent; names the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        let host = &self.smtp_host;
        let name = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
        if !host.bytes().all(name) && host.parse::<IpAddr>().is_err() {
            return check::refused("mail.smtp_host", format!("{host:?} is not a host name or an address"));
        }
        if self.smtp_port == 0 {
            return check::refused("mail.smtp_port", "0 is no port");
        }
        if self.smtp_user.is_empty() != self.smtp_password.expose().is_empty() {
            return check::refused(
                "mail.smtp_user",
                "smtp_user and smtp_password are given together or not at all",
            );
        }
        if !self.smtp_user.is_empty() && self.smtp_security == SmtpSecurity::None {
            return check::refused(
                "mail.smtp_security",
                "the password would go over the network in the clear",
            );
        }
        if self.sender().is_none() {
            return check::refused("mail.from", format!("{:?} is not address or Name <address>", self.from));
        }
        let base = Url::parse(&self.link_base).ok();
        let fits = base.is_some_and(|base| {
            matches!(base.scheme(), "http" | "https")
                && base.has_host()
                && base.query().is_none()
                && base.fragment().is_none()
        });
        if fits {
            return Ok(());
        }
        check::refused("mail.link_base", format!("{:?} is not a URL of a web page", self.link_base))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn parse(lines: &str) -> Result<MailOptions, String> {
        let config = Config::parse("node.toml", &format!("[mail]\n{lines}"), std::iter::empty());
        config.map(|config| config.mail).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_key() {
        for (lines, error) in [
            (
                "smtp_host = \"mail.example.net:25\"",
                "mail.smtp_host: \"mail.example.net:25\" is not a host name",
            ),
            ("smtp_port = 0", "mail.smtp_port: 0 is no port"),
            ("smtp_user = \"warp\"", "mail.smtp_user: smtp_user and smtp_password"),
            ("smtp_password = \"hidden\"", "mail.smtp_user: smtp_user and smtp_password"),
            (
                "smtp_user = \"warp\"\nsmtp_password = \"hidden\"\nsmtp_security = \"none\"",
                "mail.smtp_security: the password would go",
            ),
            ("from = \"WARP\"", "mail.from: \"WARP\" is not address"),
            ("from = \"WARP <warp@example.net\"", "mail.from: "),
            ("link_base = \"console.example.net\"", "mail.link_base: "),
            ("link_base = \"https://console.example.net/?a\"", "mail.link_base: "),
            ("link_base = \"ftp://console.example.net\"", "mail.link_base: "),
        ] {
            let refused = parse(lines).unwrap_err();
            assert!(refused.starts_with(error) && !refused.contains("hidden"), "{refused}");
        }
    }

    #[test]
    fn senders() {
        for (from, name, address) in [
            ("warp@example.net", "", "warp@example.net"),
            ("WARP <warp@example.net>", "WARP", "warp@example.net"),
            ("Wärme & Co <Warp@Example.net>", "Wärme & Co", "warp@example.net"),
            ("<warp@example.net>", "", "warp@example.net"),
        ] {
            let options = parse(&format!("from = {from:?}\nsmtp_host = \"::1\"")).unwrap();
            let (read, email) = options.sender().unwrap();
            assert_eq!((read, email.as_str()), (name, address));
        }
    }
}
