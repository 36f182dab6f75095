//! Asks the admin listener of a collector that runs.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a collector listens if it was not told otherwise.
pub(in crate::cli) const DEFAULT: &str = "http://localhost:13190";
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A place in the configuration where a plugin runs.
pub(in crate::cli::plugin) struct Place {
    /// As in `wasm/redact@traces`.
    pub name: String,
    /// SHA-256 of what runs.
    pub hash: String,
    /// How many versions have run.
    pub generation: u64,
    /// Why the file as it lies there now does not run.
    pub refusal: Option<String>,
}

/// Every plugin that runs there, as the collector describes it.
///
/// # Errors
/// Why it cannot be asked, and what to do.
pub(in crate::cli::plugin) fn plugins(admin: &str) -> Result<Vec<Value>, String> {
    match get(admin, "/plugins")? {
        (200, Value::Array(plugins)) => Ok(plugins),
        (404, _) => {
            Err(format!("{admin} is no admin listener of a Tailrace that knows GET /plugins: is it an older one?"))
        }
        (status, _) => Err(format!("{admin} answered GET /plugins with {status}")),
    }
}

/// The files of the plugins that run there.
///
/// # Errors
/// Why it cannot be asked.
pub(in crate::cli::plugin) fn plugin_files(admin: &str) -> Result<Vec<PathBuf>, String> {
    let files = plugins(admin)?.into_iter().filter_map(|plugin| plugin.get("file")?.as_str().map(PathBuf::from));
    Ok(files.collect())
}

/// Where the plugin of this file runs.
///
/// # Errors
/// Why it cannot be asked.
pub(in crate::cli::plugin) fn places_of(admin: &str, file: &Path) -> Result<Vec<Place>, String> {
    let text = |plugin: &Value, key: &str| plugin.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ours =
        |plugin: &Value| plugin.get("file").and_then(Value::as_str).is_some_and(|found| Path::new(found) == file);
    let place = |plugin: Value| Place {
        name: text(&plugin, "place"),
        hash: text(&plugin, "hash"),
        generation: plugin.get("generation").and_then(Value::as_u64).unwrap_or(0),
        refusal: plugin.pointer("/load_error/reason").and_then(Value::as_str).map(str::to_owned),
    };
    Ok(plugins(admin)?.into_iter().filter(ours).map(place).collect())
}

/// One request over a connection of its own: the status, and the body if it is JSON.
///
/// # Errors
/// Why it cannot be asked, and what to do.
pub(in crate::cli) fn get(admin: &str, path: &str) -> Result<(u16, Value), String> {
    let failed = |error: &dyn std::fmt::Display| {
        format!("{admin}: {error} (does a collector run there? --admin-endpoint sets where it listens)")
    };
    let host = admin.strip_prefix("http://").unwrap_or(admin).trim_end_matches('/');
    if host.starts_with("https://") || host.contains('/') {
        return Err(format!("{admin}: must be the address of an admin listener, as in {DEFAULT}"));
    }
    let addresses = host.to_socket_addrs().map_err(|error| failed(&error))?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT).and_then(|stream| exchange(stream, host, path)) {
            Ok(answer) => return parse(&answer).ok_or_else(|| failed(&"it does not speak HTTP")),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| failed(&"no such host"), |error| failed(&error)))
}

fn exchange(mut stream: TcpStream, host: &str, path: &str) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the answer comes in one piece, and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &[u8]) -> Option<(u16, Value)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let body = answer.get(end + 4..)?;
    Some((status, serde_json::from_slice(body).unwrap_or(Value::Null)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let answer = b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n[{\"a\": 1}]";
        assert_eq!(parse(answer), Some((200, serde_json::json!([{"a": 1}]))));
        assert_eq!(parse(b"HTTP/1.1 404 Not Found\r\n\r\nnot found"), Some((404, Value::Null)));
        assert_eq!(parse(b"SSH-2.0-OpenSSH"), None);
    }

    /// Nobody there: the error says how to find out.
    #[test]
    fn nobody_there() {
        let error = plugins("http://127.0.0.1:1").unwrap_err();
        assert!(error.contains("does a collector run there?"), "{error}");
        assert!(plugins("http://x/y").unwrap_err().contains("as in http://localhost:13190"));
    }
}
