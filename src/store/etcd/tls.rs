//! TLS for a connection to etcd: whom to trust, and as whom to appear. No HTTP here but its name.

use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Where systems keep the certificates that everybody trusts, for endpoints without a `ca` of their own.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A connection that is encrypted.
pub(super) type Secured = StreamOwned<ClientConnection, TcpStream>;

/// Files for TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority that signed the servers' certificates.
    pub ca: Option<PathBuf>,
    /// The client's own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The means for TLS, read from their files.
pub(super) struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Reads the files. What is wrong, for a person.
    pub(super) fn read(files: &TlsFiles) -> Result<Tls, String> {
        let mut roots = RootCertStore::empty();
        let ca = match &files.ca {
            Some(ca) => ca.clone(),
            None => SYSTEM_ROOTS
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
                .ok_or("no certificates to trust; name the file of etcd's authority with `ca`")?,
        };
        for certificate in certificates(&ca)? {
            // A bundle may have some that are of no use here.
            let _ = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err(format!("{}: there is no certificate in it", ca.display()));
        }
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots);
        let mut config = match &files.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let private = PrivateKeyDer::from_pem_file(key)
                    .map_err(|e| format!("{}: no private key can be read from it: {e}", key.display()))?;
                let own = builder.with_client_auth_cert(chain, private);
                own.map_err(|e| format!("{}, {}: {e}", certificate.display(), key.display()))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Tls(Arc::new(config)))
    }

    /// The handshake, now rather than with the first bytes: what fails there was never sent. For gRPC, or for plain HTTP.
    pub(super) fn handshake(&self, tcp: TcpStream, host: &str, grpc: bool) -> io::Result<Secured> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut config = self.0.clone();
        if !grpc {
            Arc::make_mut(&mut config).alpn_protocols.clear();
        }
        let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut secured = StreamOwned::new(connection, tcp);
        while secured.conn.is_handshaking() {
            match secured.conn.complete_io(&mut secured.sock) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(secured)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |e| format!("{}: no certificate can be read from it: {e}", path.display());
    let all = CertificateDer::pem_file_iter(path).map_err(wrong)?;
    all.collect::<Result<_, _>>().map_err(wrong)
}
