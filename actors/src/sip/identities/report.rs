//! What of `[stir]` would be in force, in lines for people.

use runtime::clock::Timestamp;

use super::{Identities, Term};

impl Identities {
    /// What calls are signed and checked with, and, in a second line, a warning where our certificate wants one at this
    /// time, in seconds since 1970.
    pub fn report(&self, now: u64) -> String {
        let warning = match self.term(now) {
            Term::Good => "",
            Term::EndsSoon => "\nwarning: the certificate of stir.certificate_file ends within a week",
            Term::Over => {
                "\nwarning: the certificate of stir.certificate_file is not valid now, no call would be signed"
            }
        };
        format!("{}{warning}", self.in_force())
    }

    fn in_force(&self) -> String {
        if !self.is_used() {
            return "none".to_owned();
        }
        let signs = match (self.signs(), self.ends_at()) {
            (false, _) => "no key".to_owned(),
            (true, None) => format!("{}, its certificate is in no file here", self.options().certificate_url),
            (true, Some(end)) => {
                format!("{}, certificate until {}", self.options().certificate_url, date(end))
            }
        };
        let authorities = match self.authorities().len() {
            1 => "1 authority".to_owned(),
            count => format!("{count} authorities"),
        };
        format!("{signs}, {authorities}")
    }
}

fn date(seconds: u64) -> String {
    let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let (year, month, day, ..) = Timestamp::from_micros(micros).civil();
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use runtime::config::StirOptions;

    use super::super::testing::{NOW, OWN, Pki};
    use super::*;

    #[test]
    fn what_is_in_force() {
        let pki = Pki::new();
        let whole = pki.options();
        let signed = format!("{OWN}, certificate until 2027-01-01");
        for (options, expected) in [
            (StirOptions::default(), "none".to_owned()),
            (whole.clone(), format!("{signed}, 1 authority")),
            (
                StirOptions { authorities_file: "".into(), ..whole.clone() },
                format!("{signed}, 0 authorities"),
            ),
            (
                StirOptions { certificate_file: "".into(), ..whole.clone() },
                format!("{OWN}, its certificate is in no file here, 1 authority"),
            ),
            (
                StirOptions { key_file: "".into(), certificate_file: "".into(), ..whole },
                "no key, 1 authority".to_owned(),
            ),
        ] {
            assert_eq!(Identities::open(&options).unwrap().report(NOW), expected);
        }
        pki.write("ca.pem", &format!("{}{}", pki.authority_pem(), Pki::new().authority_pem()));
        assert_eq!(pki.identities().report(NOW), format!("{signed}, 2 authorities"));
    }

    #[test]
    fn a_certificate_that_ends() {
        let pki = Pki::new();
        // 2026-09-21, the day of now.
        for (from, to, warning) in [
            ((2026, 1, 1), (2026, 10, 21), None),
            ((2026, 1, 1), (2026, 9, 25), Some("ends within a week")),
            ((2026, 1, 1), (2026, 9, 20), Some("is not valid now")),
            ((2026, 10, 1), (2027, 1, 1), Some("is not valid now")),
        ] {
            pki.write("own.pem", &pki.renewed((from, to)));
            let report = pki.identities().report(NOW);
            let (first, rest) = report.split_once('\n').unwrap_or((report.as_str(), ""));
            let end = format!("{:04}-{:02}-{:02}", to.0, to.1, to.2);
            assert_eq!(first, format!("{OWN}, certificate until {end}, 1 authority"));
            assert_eq!(!rest.is_empty(), warning.is_some(), "{report}");
            assert!(rest.contains(warning.unwrap_or_default()), "{report}");
        }
    }
}
