//! The types that all worlds share.

/// Made from `wit/`.
#[expect(unsafe_code, missing_docs, clippy::all, unreachable_pub, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "plugin-common",
        generate_unused_types: true,
    });
}
