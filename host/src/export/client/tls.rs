//! `tls`: the client's side, by rustls. On by default.
//!
//! ```yaml
//! tls:
//!   ca_file: /etc/tailrace/ca.pem      # instead of the system's certificates
//!   cert_file: /etc/tailrace/me.pem    # with key_file: who we are
//!   key_file: /etc/tailrace/me.key
//!   reload_interval: 1h                # read the files again for connections made after that time
//! ```

use super::verify::AnyCertificate;
use crate::yaml::{Check, GoDuration};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// `tls` of an exporter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// Do not encrypt. As in the Collector, a CA turns encryption on again.
    pub insecure: bool,
    /// Encrypt, but take any certificate of the server.
    insecure_skip_verify: bool,
    /// File with the certificates of the authorities to trust, instead of the system's.
    ca_file: String,
    /// The same, written here.
    ca_pem: String,
    /// Trust the system's authorities besides `ca_file` or `ca_pem`.
    include_system_ca_certs_pool: bool,
    /// File with our certificate.
    cert_file: String,
    /// The same, written here.
    cert_pem: String,
    /// File with its key.
    key_file: String,
    /// The same, written here.
    key_pem: String,
    /// The name that the server's certificate must be for, instead of the endpoint's host.
    server_name_override: String,
    /// `1.2` (the default) or `1.3`.
    min_version: String,
    /// `1.2` or `1.3` (the default).
    max_version: String,
    /// How old the files as read may be for a new connection; 0 reads them once.
    reload_interval: GoDuration,
    /// Not supported.
    cipher_suites: Option<IgnoredAny>,
    /// Not supported.
    curve_preferences: Option<IgnoredAny>,
    /// Not supported.
    tpm: Option<IgnoredAny>,
}

impl TlsSettings {
    /// Whether connections are encrypted, if the endpoint does not say.
    pub fn enabled(&self) -> bool {
        !self.insecure || !self.ca_file.is_empty() || !self.ca_pem.is_empty()
    }

    /// Records what is wrong with the section at `key`.
    pub fn check(&self, check: &mut Check<'_>, key: &str) {
        let unsupported = [
            ("cipher_suites", self.cipher_suites.is_some()),
            ("curve_preferences", self.curve_preferences.is_some()),
            ("tpm", self.tpm.is_some()),
        ];
        for (name, _) in unsupported.into_iter().filter(|(_, set)| *set) {
            check.error(&format!("{key}.{name}"), "is not supported; remove the key");
        }
        for (file, pem) in [("ca_file", "ca_pem"), ("cert_file", "cert_pem"), ("key_file", "key_pem")] {
            if !self.text(file).is_empty() && !self.text(pem).is_empty() {
                check.error(&format!("{key}.{pem}"), format!("excludes `{file}`"));
            }
        }
        let cert = !self.cert_file.is_empty() || !self.cert_pem.is_empty();
        let private = !self.key_file.is_empty() || !self.key_pem.is_empty();
        if cert != private {
            let missing = if cert { "key_file" } else { "cert_file" };
            check.error(key, format!("a certificate and its key belong together; `{missing}` is missing"));
        }
        for name in ["min_version", "max_version"] {
            if !matches!(self.text(name), "" | "1.2" | "1.3") {
                check.error(&format!("{key}.{name}"), "must be \"1.2\" or \"1.3\"; older versions are not supported");
            }
        }
        if self.min_version == "1.3" && self.max_version == "1.2" {
            check.error(&format!("{key}.max_version"), "must not be less than `min_version`");
        }
        if !self.server_name_override.is_empty() && ServerName::try_from(self.server_name_override.as_str()).is_err() {
            check.error(&format!("{key}.server_name_override"), "is no host name");
        }
    }

    fn text(&self, name: &str) -> &str {
        match name {
            "ca_file" => &self.ca_file,
            "ca_pem" => &self.ca_pem,
            "cert_file" => &self.cert_file,
            "cert_pem" => &self.cert_pem,
            "key_file" => &self.key_file,
            "key_pem" => &self.key_pem,
            "min_version" => &self.min_version,
            "max_version" => &self.max_version,
            _ => "",
        }
    }

    /// Reads the files. Every connection afterwards offers `alpn`.
    fn load(&self, alpn: &[&[u8]]) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: Vec<&SupportedProtocolVersion> =
            [(&version::TLS12, "1.3", true), (&version::TLS13, "1.2", false)]
                .into_iter()
                .filter(|(_, excluded_by, low)| {
                    *excluded_by != if *low { &*self.min_version } else { &*self.max_version }
                })
                .map(|(version, ..)| version)
                .collect();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(|error| error.to_string())?;
        let builder = if self.insecure_skip_verify {
            let verifier: Arc<dyn ServerCertVerifier> = Arc::new(AnyCertificate::new(&provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match self.identity()? {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("tls: certificate and key cannot be used: {error}"))?,
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let own = read("ca_file", &self.ca_file, &self.ca_pem)?;
        if let Some(pem) = &own {
            for certificate in certificates("ca_file", pem)? {
                roots.add(certificate).map_err(|error| format!("tls: ca_file has an unusable certificate: {error}"))?;
            }
        }
        if own.is_none() || self.include_system_ca_certs_pool {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
        }
        if roots.is_empty() {
            return Err("tls: there are no certificates to trust: neither a ca_file nor any of the system's".to_owned());
        }
        Ok(roots)
    }

    fn identity(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, String> {
        let Some(chain) = read("cert_file", &self.cert_file, &self.cert_pem)? else { return Ok(None) };
        let key = read("key_file", &self.key_file, &self.key_pem)?.unwrap_or_default();
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("tls: key_file has no key: {error}"))?;
        Ok(Some((certificates("cert_file", &chain)?, key)))
    }
}

fn read(name: &str, file: &str, pem: &str) -> Result<Option<Vec<u8>>, String> {
    match (file, pem) {
        ("", "") => Ok(None),
        ("", pem) => Ok(Some(pem.as_bytes().to_vec())),
        (file, _) => {
            std::fs::read(file).map(Some).map_err(|error| format!("tls: cannot read {name} {file:?}: {error}"))
        }
    }
}

fn certificates(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("tls: {name} is not in PEM: {error}"))?;
    if found.is_empty() {
        return Err(format!("tls: {name} has no certificate"));
    }
    Ok(found)
}

/// Encrypts connections; reads its files again when they were read too long ago.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    alpn: &'static [&'static [u8]],
    loaded: Mutex<Loaded>,
}

#[derive(Clone, Debug)]
struct Loaded {
    at: Instant,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files; `alpn` are the protocols to offer.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(settings: &TlsSettings, alpn: &'static [&'static [u8]]) -> Result<Self, String> {
        let loaded = Loaded { at: Instant::now(), config: Arc::new(settings.load(alpn)?) };
        Ok(Self { settings: settings.clone(), alpn, loaded: Mutex::new(loaded) })
    }

    pub(super) async fn handshake(&self, host: &str, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match &*self.settings.server_name_override {
            "" => host,
            name => name,
        };
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(self.config().await).connect(name, tcp).await
    }

    /// The settings as read, not longer than `reload_interval` ago. Files that cannot be used leave the old ones in force.
    async fn config(&self) -> Arc<ClientConfig> {
        let interval = self.settings.reload_interval.0;
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if interval.is_zero() || loaded.at.elapsed() < interval {
            return loaded.config;
        }
        let (settings, alpn) = (self.settings.clone(), self.alpn);
        let read = tokio::task::spawn_blocking(move || settings.load(alpn)).await;
        let config = match read.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(config) => Arc::new(config),
            Err(error) => {
                tracing::warn!(error, "tls: the files cannot be used; going on with those read before");
                loaded.config
            }
        };
        let loaded = Loaded { at: Instant::now(), config: Arc::clone(&config) };
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = loaded;
        config
    }
}
