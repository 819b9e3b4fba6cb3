//! The certificate that a server shows: the only network code, and only in builds with the feature `probe`.

#[cfg(not(feature = "probe"))]
pub(crate) use self::absent::certificates;
#[cfg(feature = "probe")]
pub(crate) use self::present::certificates;

#[cfg(not(feature = "probe"))]
mod absent {
    use std::time::Duration;

    use crate::error::CommandError;

    /// Says which build can, and what does the same.
    pub(crate) fn certificates(
        address: &str,
        name: &str,
        _timeout: Duration,
    ) -> Result<Vec<Vec<u8>>, CommandError> {
        Err(CommandError::not_built(
            "`cert probe`, for which network code is needed,",
        )
        .hint("the build with the cargo feature `probe` (in the set `full`) has it")
        .hint(format!(
            "the same without it: openssl s_client -connect {address} -servername {name} </dev/null | openssl x509 -noout -fingerprint -sha256"
        )))
    }
}

#[cfg(feature = "probe")]
mod present {
    use std::io;
    use std::net::{TcpStream, ToSocketAddrs as _};
    use std::sync::Arc;
    use std::time::Duration;

    use ccci_secrets::error::ErrorCode;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

    use crate::error::CommandError;

    /// The certificates that a server shows for a name, in their DER form, the leaf first.
    pub(crate) fn certificates(
        address: &str,
        name: &str,
        timeout: Duration,
    ) -> Result<Vec<Vec<u8>>, CommandError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            let message = format!("cannot {what} {address}: {error}");
            CommandError::new(ErrorCode::EndpointUnreachable, message)
        };
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| CommandError::usage(format!("`{name}` is not the name of a host")))?;
        let mut stream = connect(address, timeout).map_err(|error| failed("connect to", &error))?;
        let config = config().map_err(|error| failed("speak TLS with", &error))?;
        let mut connection = ClientConnection::new(Arc::new(config), name)
            .map_err(|error| failed("speak TLS with", &error))?;
        while connection.is_handshaking() {
            connection
                .complete_io(&mut stream)
                .map_err(|error| failed("speak TLS with", &error))?;
        }
        let shown = connection.peer_certificates().unwrap_or_default();
        Ok(shown.iter().map(|der| der.as_ref().to_vec()).collect())
    }

    /// Tries every address of a host in turn.
    fn connect(address: &str, timeout: Duration) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn config() -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyIssuer(provider)))
            .with_no_client_auth();
        Ok(config)
    }

    /// Whoever issued the certificate, the server must have its key. What it is compared with is the caller's.
    #[derive(Debug)]
    struct AnyIssuer(Arc<CryptoProvider>);

    impl ServerCertVerifier for AnyIssuer {
        fn verify_server_cert(
            &self,
            _leaf: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _name: &ServerName<'_>,
            _ocsp: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls12_signature(message, certificate, signed, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            verify_tls13_signature(message, certificate, signed, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
