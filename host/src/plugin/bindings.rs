//! The host's side of the contract, made from `wit/`.
//!
//! One set of types for all kinds of plugins: each exported interface is looked up by itself, so a component needs to
//! export only what it has.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "generated"
)]

wasmtime::component::bindgen!({
    inline: "
        package tailrace:inside;
        world every {
            import tailrace:plugin/host@0.1.0;
            export tailrace:plugin/lifecycle@0.1.0;
            export tailrace:plugin/attributes@0.1.0;
            export tailrace:plugin/processor@0.1.0;
            export tailrace:plugin/sampler@0.1.0;
            export tailrace:plugin/state@0.1.0;
        }
    ",
    path: "../wit",
    world: "tailrace:inside/every",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: {
        // What may take long gives way to others in between.
        "tailrace:plugin/host.compile-patterns": async | trappable,
        "tailrace:plugin/host.match-patterns": async | trappable,
        "tailrace:plugin/host.find-patterns": async | trappable,
        "tailrace:plugin/host.capture-groups": async | trappable,
        "tailrace:plugin/host.hash-texts": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});

pub(super) use self::tailrace::plugin::{host, types};
pub(super) use exports::tailrace::plugin::{attributes, lifecycle, processor, sampler, state};
