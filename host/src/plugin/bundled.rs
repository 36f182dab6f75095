//! Plugins inside the binary, built from `plugins/` by `build.rs`: two for `tailrace demo`, and the Collector's processors that
//! are plugins (`processors/bundled.rs`).

/// The bundled plugins: name, and the bytes of the component.
pub fn bundled() -> &'static [(&'static str, &'static [u8])] {
    &[
        ("redact", include_bytes!(env!("TAILRACE_PLUGIN_REDACT"))),
        ("mask-email", include_bytes!(env!("TAILRACE_PLUGIN_MASK_EMAIL"))),
        ("attributes", include_bytes!(env!("TAILRACE_PLUGIN_ATTRIBUTES"))),
        ("resource", include_bytes!(env!("TAILRACE_PLUGIN_RESOURCE"))),
        ("redaction", include_bytes!(env!("TAILRACE_PLUGIN_REDACTION"))),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_are_components() {
        for (name, bytes) in super::bundled() {
            assert!(super::super::contract::check_header(bytes).is_ok(), "{name}");
        }
    }
}
