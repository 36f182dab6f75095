//! Plugins inside the binary, for `tailrace demo`: built from `plugins/` by `build.rs`.

/// The bundled plugins: name, and the bytes of the component.
pub fn bundled() -> &'static [(&'static str, &'static [u8])] {
    &[
        ("redact", include_bytes!(env!("TAILRACE_PLUGIN_REDACT"))),
        ("mask-email", include_bytes!(env!("TAILRACE_PLUGIN_MASK_EMAIL"))),
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
