//! `endpoint`: where to, and whether encrypted.

use crate::export::client::Address;
use crate::yaml::endpoint::HostPort;
use std::str::FromStr;

/// A parsed `endpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: Address,
    /// What the scheme says about encryption, if there is one.
    pub(super) encrypted: Option<bool>,
}

impl FromStr for Target {
    type Err = String;

    /// `host:port`, with `http://`, `https://` or a resolver of gRPC in front.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("requires a non-empty endpoint, as in \"tempo:4317\"".to_owned());
        }
        let (encrypted, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(false), rest),
            Some(("https", rest)) => (Some(true), rest),
            // An authority before the third slash would name a DNS server.
            Some(("dns" | "passthrough", rest)) if rest.starts_with('/') => (None, rest.trim_start_matches('/')),
            Some((scheme, _)) => return Err(unknown_scheme(scheme)),
        };
        if let Some(("unix" | "unix-abstract", _)) = rest.split_once(':') {
            return Err(unknown_scheme("unix"));
        }
        let rest = rest.strip_prefix("dns:").unwrap_or(rest);
        let HostPort { host, port } = rest
            .strip_suffix('/')
            .unwrap_or(rest)
            .parse()
            .map_err(|error: crate::yaml::endpoint::EndpointError| error.to_string())?;
        if host.is_empty() {
            return Err(format!("{text:?} has no host"));
        }
        if port == 0 {
            return Err(format!("{text:?} has port 0, which nobody listens on"));
        }
        Ok(Self { address: Address { host, port }, encrypted })
    }
}

fn unknown_scheme(scheme: &str) -> String {
    format!("scheme {scheme:?} is not supported; write host:port, http://, https:// or dns:///")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let check = |text: &str, expected: Option<(&str, u16, Option<bool>)>| {
            let target = text.parse::<Target>();
            let expected = expected
                .map(|(host, port, encrypted)| Target { address: Address { host: host.to_owned(), port }, encrypted });
            assert_eq!(target.clone().ok(), expected, "{text}: {target:?}");
        };
        check("tempo:4317", Some(("tempo", 4317, None)));
        check("http://tempo:4317", Some(("tempo", 4317, Some(false))));
        check("https://tempo:4317/", Some(("tempo", 4317, Some(true))));
        check("dns:///tempo:4317", Some(("tempo", 4317, None)));
        check("dns:tempo:4317", Some(("tempo", 4317, None)));
        check("passthrough:///10.0.0.1:4317", Some(("10.0.0.1", 4317, None)));
        check("[::1]:4317", Some(("::1", 4317, None)));
        for bad in [
            "",
            "tempo",
            "tempo:",
            ":4317",
            "tempo:0",
            "tempo:99999",
            "unix:/run/x",
            "unix:///run/x",
            "dns://8.8.8.8/tempo:4317",
            "ftp://tempo:4317",
            "http://tempo:4317/path",
            "::1:4317",
        ] {
            check(bad, None);
        }
    }
}
