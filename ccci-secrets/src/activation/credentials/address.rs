//! What a peer of the credential socket says of itself: systemd binds the socket that it connects with to an abstract
//! address which holds a random number, the unit and the name of the credential.

use std::fmt;

use crate::activation::manifest::credentials::{is_credential_name, is_unit};

/// Which credential of which unit somebody asks for. Both names are ones that systemd takes, so they are short and of
/// printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialRequest {
    /// The unit.
    pub unit: String,
    /// The name of the credential.
    pub name: String,
}

/// Why an address is none that systemd asks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressFault {
    /// Not four parts: a number, `unit`, and two names.
    #[error("its address does not have the form NUMBER/unit/UNIT/NAME")]
    Form,
    /// The last part.
    #[error("its address does not end with the name of a credential")]
    Name,
    /// The first part.
    #[error("its address does not begin with up to 16 hexadecimal digits")]
    Number,
    /// The third part.
    #[error("its address does not hold the name of a unit")]
    Unit,
}

impl CredentialRequest {
    /// Reads the name of an abstract address, without the NUL in front.
    ///
    /// ```
    /// use ccci_secrets::activation::CredentialRequest;
    ///
    /// let request = CredentialRequest::parse(b"5e0c4bd1e1c9f9a7/unit/web@1.service/token")?;
    /// assert_eq!((request.unit.as_str(), request.name.as_str()), ("web@1.service", "token"));
    /// # Ok::<(), ccci_secrets::activation::AddressFault>(())
    /// ```
    ///
    /// # Errors
    /// [`AddressFault`] names the first part that will not do.
    pub fn parse(address: &[u8]) -> Result<Self, AddressFault> {
        // Names are of ASCII; what is not even text is another form.
        let text = std::str::from_utf8(address).map_err(|_| AddressFault::Form)?;
        let parts: Vec<&str> = text.split('/').collect();
        let [number, "unit", unit, name] = parts.as_slice() else {
            return Err(AddressFault::Form);
        };
        // The number is printed without leading zeros.
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if !(1..=16).contains(&number.len()) || !number.bytes().all(is_digit) {
            return Err(AddressFault::Number);
        }
        if !is_unit(unit) {
            return Err(AddressFault::Unit);
        }
        if !is_credential_name(name) {
            return Err(AddressFault::Name);
        }
        Ok(Self {
            unit: (*unit).into(),
            name: (*name).into(),
        })
    }
}

impl fmt::Display for CredentialRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: credential `{}`", self.unit, self.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_as_systemd_writes_it_is_read() {
        for (address, unit, name) in [
            (
                "5e0c4bd1e1c9f9a7/unit/cred.service/mycred",
                "cred.service",
                "mycred",
            ),
            // One number in sixteen has fewer than 16 digits.
            (
                "5e0c4bd1e1c9f9a/unit/cred.service/mycred",
                "cred.service",
                "mycred",
            ),
            ("0/unit/a@b.service/a b.c", "a@b.service", "a b.c"),
        ] {
            let request = CredentialRequest::parse(address.as_bytes()).unwrap();
            assert_eq!((request.unit.as_str(), request.name.as_str()), (unit, name));
        }
    }

    #[test]
    fn every_other_address_is_refused_by_its_part() {
        for (address, fault) in [
            ("", AddressFault::Form),
            ("a", AddressFault::Form),
            ("a/unit/u.service", AddressFault::Form),
            ("a/unit/u.service/n/m", AddressFault::Form),
            ("a/unit/u.service/n/", AddressFault::Form),
            ("/a/unit/u.service/n", AddressFault::Form),
            ("a/Unit/u.service/n", AddressFault::Form),
            ("/unit/u.service/n", AddressFault::Number),
            ("A/unit/u.service/n", AddressFault::Number),
            ("+1/unit/u.service/n", AddressFault::Number),
            ("11111111111111111/unit/u.service/n", AddressFault::Number),
            ("a/unit//n", AddressFault::Unit),
            ("a/unit/u@*.service/n", AddressFault::Unit),
            ("a/unit/u@.service/n", AddressFault::Unit),
            ("a/unit/u/n", AddressFault::Unit),
            ("a/unit/../n", AddressFault::Unit),
            ("a/unit/u.service/", AddressFault::Name),
            ("a/unit/u.service/..", AddressFault::Name),
            ("a/unit/u.service/n\0", AddressFault::Name),
            ("a/unit/u.service/n\n", AddressFault::Name),
        ] {
            assert_eq!(
                CredentialRequest::parse(address.as_bytes()),
                Err(fault),
                "{address:?}"
            );
        }
        assert_eq!(
            CredentialRequest::parse(b"a/unit/u.service/\xff"),
            Err(AddressFault::Form)
        );
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_spelt_in_one_way_only(
            number in any::<u64>(),
            stem in r"[a-zA-Z0-9:_.\\-]{1,20}(@[a-zA-Z0-9@_-]{1,9})?",
            suffix in r"\.(service|socket|mount|swap)",
            name in "[ -.0-9;-~]{1,40}",
        ) {
            prop_assume!(name != "." && name != "..");
            let unit = format!("{stem}{suffix}");
            // A stem may end with what an instance begins with.
            prop_assume!(is_unit(&unit));
            let address = format!("{number:x}/unit/{unit}/{name}");
            let request = CredentialRequest::parse(address.as_bytes()).unwrap();
            prop_assert_eq!(request, CredentialRequest { unit, name });
        }

        #[test]
        fn no_address_is_read_as_anything_that_it_does_not_say(
            address in proptest::collection::vec(
                prop_oneof![Just(b'/'), Just(b'@'), Just(b'.'), Just(0), b'a'..=b'f', any::<u8>()], 0..60),
            frame in any::<bool>(),
        ) {
            let address = if frame {
                [b"1f/unit/".as_slice(), &address].concat()
            } else {
                address
            };
            if let Ok(request) = CredentialRequest::parse(&address) {
                let tail = format!("/unit/{}/{}", request.unit, request.name);
                prop_assert!(address.ends_with(tail.as_bytes()));
                prop_assert!(address.len() - tail.len() <= 16);
                prop_assert!(is_unit(&request.unit) && is_credential_name(&request.name));
            }
        }
    }
}
