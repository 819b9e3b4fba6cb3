//! Which host names a certificate is good for.

use std::net::IpAddr;

use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::Certificate;

/// The names and addresses of a certificate; the common name is none of them, as clients do not look at it.
pub(super) fn of(certificate: &Certificate) -> Vec<String> {
    let extension = certificate.parsed.tbs_certificate.get::<SubjectAltName>();
    let Ok(Some((_, SubjectAltName(names)))) = extension else {
        return Vec::new();
    };
    names.iter().filter_map(shown).collect()
}

fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => address(bytes.as_bytes()).map(|ip| ip.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Whether one of the names of a certificate covers a wanted one (RFC 6125, section 6.4). A wildcard is a whole label at
/// the front and stands for one label.
pub(super) fn cover(names: &[String], wanted: &str) -> bool {
    if let Ok(wanted) = wanted.parse::<IpAddr>() {
        return names.iter().any(|name| name.parse() == Ok(wanted));
    }
    let wanted = wanted.strip_suffix('.').unwrap_or(wanted);
    names.iter().any(|name| covers(name, wanted))
}

fn covers(name: &str, wanted: &str) -> bool {
    if name.eq_ignore_ascii_case(wanted) {
        return true;
    }
    let (Some(parent), Some((label, rest))) = (name.strip_prefix("*."), wanted.split_once('.'))
    else {
        return false;
    };
    !label.is_empty() && label != "*" && parent.eq_ignore_ascii_case(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(name: &str, wanted: &str) -> bool {
        cover(&[name.to_owned()], wanted)
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covered("*.ci.example", "probe.ci.example"));
        assert!(covered("*.ci.example", "*.ci.example"));
        assert!(covered("*.CI.example", "Probe.ci.EXAMPLE."));
        for wanted in [
            "ci.example",
            "a.b.ci.example",
            ".ci.example",
            "probe.other.example",
        ] {
            assert!(!covered("*.ci.example", wanted), "{wanted}");
        }
        assert!(!covered("*.*.example", "a.b.example"));
        assert!(!covered("p*.ci.example", "probe.ci.example"));
    }

    #[test]
    fn a_name_covers_itself_alone() {
        assert!(covered("ci.example", "CI.example"));
        assert!(!covered("ci.example", "*.ci.example"));
        assert!(!covered("ci.example", "probe.ci.example"));
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        assert!(covered("2001:db8::1", "2001:0db8:0:0::1"));
        assert!(covered("127.0.0.1", "127.0.0.1"));
        assert!(!covered("*.0.0.1", "127.0.0.1"));
    }
}
