//! Where a URL points to.

use std::net::IpAddr;

use hyper::header::HeaderValue;
use url::{Host, Url};

use super::Error;

/// A longer URL is refused, octets.
pub const URL_OCTETS_MAX: usize = 2048;

/// What a request needs of its URL.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Whether TLS is spoken.
    pub(super) secure: bool,
    /// An address where the URL has one, in whatever spelling; else a name.
    pub(super) host: Place,
    /// Never 0.
    pub(super) port: u16,
    /// Path and query.
    pub(super) path: String,
    /// The Host header (RFC 9110, 7.2).
    pub(super) authority: HeaderValue,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An IP literal.
    Address(IpAddr),
    /// A name in ASCII (IDNA), without the dot at its end.
    Name(String),
}

impl Target {
    /// Reads a URL as browsers do (the WHATWG's standard), so that `2130706433`, `0x7f.1` and `0177.0.0.1` are
    /// the address that they mean, and no name.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        if url.len() > URL_OCTETS_MAX {
            return Err(Error::Url("it is too long"));
        }
        let url = Url::parse(url).map_err(|_| Error::Url("it is no absolute URL"))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Error::Url("its scheme is neither https nor http")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Url("it holds a user or a password"));
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if port == 0 {
            return Err(Error::Url("its port is 0"));
        }
        let host = match url.host() {
            Some(Host::Ipv4(address)) => Place::Address(address.into()),
            Some(Host::Ipv6(address)) => Place::Address(address.into()),
            Some(Host::Domain(name)) => Place::Name(name.strip_suffix('.').unwrap_or(name).to_owned()),
            None => return Err(Error::Url("it has no host")),
        };
        if matches!(&host, Place::Name(name) if name.is_empty()) {
            return Err(Error::Url("it has no host"));
        }
        let path =
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let name = match &host {
            Place::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Place::Address(IpAddr::V4(address)) => address.to_string(),
            Place::Name(name) => name.clone(),
        };
        let authority = url.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
        let authority = HeaderValue::try_from(authority).map_err(|_| Error::Url("its host is no name"))?;
        Ok(Self { secure, host, port, path, authority })
    }

    /// What the peer's certificate must be for, and what errors call the host.
    pub(super) fn name(&self) -> String {
        match &self.host {
            Place::Address(address) => address.to_string(),
            Place::Name(name) => name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url() {
        for (url, secure, name, port, path, authority) in [
            ("https://example.com", true, "example.com", 443, "/", "example.com"),
            ("http://example.com:80/a?b=c#d", false, "example.com", 80, "/a?b=c", "example.com"),
            ("HTTP://EXAMPLE.com:8080/a b", false, "example.com", 8080, "/a%20b", "example.com:8080"),
            ("https://example.com./", true, "example.com", 443, "/", "example.com"),
            ("https://bücher.example/", true, "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
            ("https://[2001:DB8::1]:8443/x", true, "2001:db8::1", 8443, "/x", "[2001:db8::1]:8443"),
            ("http://1.2.3.4/../x", false, "1.2.3.4", 80, "/x", "1.2.3.4"),
            ("http:\\\\example.com\\a", false, "example.com", 80, "/a", "example.com"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.secure, target.name().as_str(), target.port), (secure, name, port), "{url}");
            assert_eq!(
                (target.path.as_str(), target.authority.to_str().unwrap()),
                (path, authority),
                "{url}"
            );
        }
    }

    /// An address is one however it is spelled, and never goes to a resolver.
    #[test]
    fn spellings_of_one_address() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("127.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("%31%32%37.0.0.1", "127.0.0.1"),
            ("１２７.0.0.1", "127.0.0.1"),
            ("①②⑦.0.0.1", "127.0.0.1"),
            ("127。0。0。1", "127.0.0.1"),
            ("0xa9fea9fe", "169.254.169.254"),
            ("[::1]", "::1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
            ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
        ] {
            let target = Target::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(target.host, Place::Address(address.parse().unwrap()), "{host}");
        }
    }

    #[test]
    fn what_is_not_asked() {
        let long = format!("https://example.com/{}", "x".repeat(URL_OCTETS_MAX));
        for url in [
            "",
            "example.com",
            "/path",
            "//example.com",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com:25/",
            "javascript:alert(1)",
            "unix:/run/control.sock",
            "https://",
            "https://./",
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://:password@example.com/",
            "https://example.com@127.0.0.1/",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://exam ple.com/",
            "https://example.com\u{0}/",
            "https://[::1/",
            "https://[fe80::1%25eth0]/",
            "https://256.1.1.1/",
            "https://1.2.3.4.5/",
            &long,
        ] {
            assert!(matches!(Target::parse(url), Err(Error::Url(_))), "{url:?}");
        }
        // White space that the standard drops stays out of header and request line.
        let target = Target::parse("https://example.com/a\r\nX-Evil: 1").unwrap();
        assert_eq!(target.path, "/aX-Evil:%201");
    }
}
