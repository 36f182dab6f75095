//! Guests written by hand, in WebAssembly text: for lies that no compiler of a language would let through.
//!
//! A guest is a frame (an interface, the functions that the contract asks for, all of them harmless) in which a behaviour
//! replaces single pieces. The core module gets the contract's metadata and becomes a component, as the tools of any
//! language do it.

use crate::bomb;
use crate::plugins::repository;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The pieces of a guest that can be replaced; the rest of the module is always the same.
///
/// In the text a result of zeros is a good answer of every function: `describe` says nothing, `apply` edits nothing,
/// `process` answers `unchanged`. At 1024 there are 256 zeros.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// The world: `processor-plugin` or `attributes-plugin`.
    pub world: &'static str,
    /// More packages and imports of the world, as WIT: `(packages, items of the world)`.
    pub wit: (&'static str, &'static str),
    /// Imports of the core module.
    pub imports: &'static str,
    /// Memories, tables, globals, further functions, `start`.
    pub more: String,
    /// Pages of the first memory.
    pub pages: u32,
    /// Body of `cabi_realloc`, which leaves an address; `$size` is what is wanted.
    pub realloc: &'static str,
    /// Body of `describe`, which leaves an address.
    pub describe: &'static str,
    /// Body of `configure`, which leaves an address.
    pub configure: &'static str,
    /// Body of the call, which leaves an address.
    pub call: String,
}

/// Room from a bump allocator that starts again with each call.
const REALLOC: &str = "
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.get $at)";

impl Default for Pieces {
    fn default() -> Self {
        Self {
            world: "processor-plugin",
            wit: ("", ""),
            imports: "",
            more: String::new(),
            pages: 64,
            realloc: REALLOC,
            describe: "(i32.const 1024)",
            configure: "(i32.const 1024)",
            call: "(i32.const 1024)".to_owned(),
        }
    }
}

impl Pieces {
    fn module(&self) -> String {
        let Self { imports, more, pages, realloc, describe, configure, call, .. } = self;
        // The host tries a plugin with an empty batch before it is used: nothing happens then.
        let (interface, params, empty, configure) = match self.world {
            "attributes-plugin" => (
                "attributes@0.1.0#apply",
                "(param i32)",
                "(i32.eqz (i32.load offset=28 (local.get 0)))",
                // `always`, since it asks for nothing.
                format!("(i32.store8 (i32.const 1316) (i32.const 1)) (drop {configure}) (i32.const 1280)"),
            ),
            _ => ("processor@0.1.0#process", "(param i32 i32 i32)", "(i32.eqz (local.get 2))", configure.to_string()),
        };
        format!(
            r#"(module
                {imports}
                (memory (export "memory") {pages})
                (global $free (mut i32) (i32.const 65536))
                (global $armed (mut i32) (i32.const 0))
                {more}
                (func $realloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) {realloc})
                (func (export "tailrace:plugin/lifecycle@0.1.0#describe") (result i32) {describe})
                (func (export "tailrace:plugin/lifecycle@0.1.0#configure") (param i32 i32) (result i32)
                    (global.set $free (i32.const 65536))
                    {configure}
                    (global.set $armed (i32.const 1)))
                (func $call (export "tailrace:plugin/{interface}") {params} (result i32)
                    (global.set $free (i32.const 65536))
                    (if {empty} (then (return (i32.const 1024))))
                    (global.set $armed (i32.const 2))
                    {call}))"#
        )
    }

    /// The component.
    ///
    /// # Panics
    /// When the pieces do not make one.
    pub fn component(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.module()).unwrap_or_else(|error| panic!("{error}"));
        let mut resolve = Resolve::default();
        resolve.push_dir(repository().join("wit")).expect("the contract is in order");
        let (packages, items) = self.wit;
        let world = format!(
            "package test:crafted;\n{packages}\nworld guest {{ include tailrace:plugin/{}@0.1.0; {items} }}",
            self.world
        );
        let package = resolve.push_str("crafted.wit", &world).unwrap_or_else(|error| panic!("{error:#}"));
        let world = resolve.select_world(&[package], Some("guest")).expect("it was just written");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module");
        let encoder = ComponentEncoder::default().validate(true).module(&module);
        encoder.and_then(|mut encoder| encoder.encode()).unwrap_or_else(|error| panic!("{error:#}"))
    }
}

/// Runs for ever.
const LOOP: &str = "(loop $again (br $again)) (unreachable)";

/// What [`guest`] knows, apart from what it says of them.
pub const NAMES: &[&str] = &[
    "good",
    "loop in realloc",
    "loop in realloc of an import",
    "trap in realloc",
    "realloc beyond memory",
    "realloc askew",
    "host call in realloc",
    "loop after the call",
    "trap after the call",
    "loop in start",
    "trap in start",
    "loop in describe",
    "trap in describe",
    "a name of 1e9 bytes",
    "a long name",
    "a long schema",
    "tail calls without end",
    "recursion without end",
    "recursion at the edge of a host call",
    "tables",
    "table in one step",
    "many memories",
    "many tables",
    "many instances",
    "a huge memory",
    "memory fill",
    "answer beyond memory",
    "answer askew",
    "a list of 1e9 bytes",
    "a case that is not there",
    "a reason that is not UTF-8",
    "rows of 1e9 edits",
    "columns in one place",
    "log of 1e9 bytes",
    "random bytes of 1e18",
    "sockets",
    "an unknown package",
];

/// A guest with one of the behaviours in [`NAMES`].
///
/// # Panics
/// When there is none of this name.
pub fn guest(name: &str) -> Vec<u8> {
    let component = pieces(name).component();
    if name == "many instances" { bomb::attach(&component, &bomb::instances(1000)) } else { component }
}

fn pieces(name: &str) -> Pieces {
    let good = Pieces::default();
    let attributes = || Pieces { world: "attributes-plugin", ..Pieces::default() };
    match name {
        "good" => good,
        // The host calls `cabi_realloc` while it hands over a batch ...
        "loop in realloc" => {
            Pieces { realloc: "(if (i32.and (global.get $armed) (i32.ne (local.get $size) (i32.const 0)))
                (then (loop $again (br $again)))) (i32.const 65536)", ..good }
        }
        // ... and while it hands over what an import returns.
        "loop in realloc of an import" => Pieces {
            realloc: "(if (i32.gt_s (global.get $armed) (i32.const 1)) (then (loop $again (br $again))))
                (i32.const 65536)",
            call: "(call $random (i64.const 10) (i32.const 2048)) (i32.const 1024)".into(),
            ..random()
        },
        "trap in realloc" => {
            Pieces { realloc: "(if (i32.and (global.get $armed) (i32.ne (local.get $size) (i32.const 0)))
                (then (unreachable))) (i32.const 65536)", ..good }
        }
        "realloc beyond memory" => {
            Pieces { realloc: "(select (i32.const -8) (i32.const 65536) (i32.and (global.get $armed) (i32.ne (local.get $size) (i32.const 0))))", ..good }
        }
        "realloc askew" => Pieces {
            realloc: "(select (i32.const 65537) (i32.const 65536) (i32.lt_u (i32.sub (local.get $size) (i32.const 1)) (i32.const 95)))",
            ..attributes()
        },
        // A guest may not call out while the host hands something over: else host and guest recursed.
        "host call in realloc" => Pieces {
            realloc: "(if (i32.and (global.get $armed) (i32.ne (local.get $size) (i32.const 0)))
                (then (call $random (i64.const 10) (i32.const 2048)))) (i32.const 65536)",
            ..random()
        },
        "loop after the call" => {
            let more = format!(r#"(func (export "cabi_post_tailrace:plugin/processor@0.1.0#process") (param i32)
                (if (i32.eq (global.get $armed) (i32.const 2)) (then {LOOP})))"#);
            Pieces { more, ..good }
        }
        "trap after the call" => {
            let more = r#"(func (export "cabi_post_tailrace:plugin/processor@0.1.0#process") (param i32)
                (if (i32.eq (global.get $armed) (i32.const 2)) (then (unreachable))))"#;
            Pieces { more: more.into(), ..good }
        }
        "loop in start" => Pieces { more: format!("(func $start {LOOP}) (start $start)"), ..good },
        "trap in start" => Pieces { more: "(func $start (unreachable)) (start $start)".into(), ..good },
        "loop in describe" => Pieces { describe: LOOP, ..good },
        "trap in describe" => Pieces { describe: "(unreachable)", ..good },
        "a name of 1e9 bytes" => Pieces {
            describe: "(i32.store (i32.const 1024) (i32.const 2048)) (i32.store (i32.const 1028) (i32.const 1000000000))
                (i32.const 1024)",
            ..good
        },
        // 3 MiB of zeros.
        "a long name" => Pieces {
            describe: "(i32.store (i32.const 2048) (i32.const 65536)) (i32.store (i32.const 2052) (i32.const 3145728))
                (i32.const 2048)",
            ..good
        },
        // The same as a JSON Schema.
        "a long schema" => Pieces {
            describe: "(i32.store8 (i32.const 2064) (i32.const 1)) (i32.store (i32.const 2068) (i32.const 65536))
                (i32.store (i32.const 2072) (i32.const 3145728)) (i32.const 2048)",
            ..good
        },
        "tail calls without end" => {
            Pieces { more: "(func $again (result i32) (return_call $again))".into(), call: "(call $again)".into(), ..good }
        }
        "recursion without end" => Pieces {
            more: "(func $deeper (param i32) (result i32)
                    (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))"
                .into(),
            call: "(call $deeper (i32.const 0))".into(),
            ..good
        },
        // Every frame of the way down calls the host: the last of them with no stack to spare.
        "recursion at the edge of a host call" => Pieces {
            more: "(func $deeper (param i32) (result i32)
                    (call $random (i64.const 10) (i32.const 2048))
                    (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))"
                .into(),
            call: "(call $deeper (i32.const 0))".into(),
            ..random()
        },
        // 100,000 more elements each time, until the host says no; then it traps.
        "tables" => Pieces {
            more: "(table $table 0 funcref)".into(),
            call: "(loop $again
                    (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 100000)) (i32.const -1))))
                (unreachable)"
                .into(),
            ..good
        },
        "table in one step" => Pieces {
            more: "(table $table 0 funcref)".into(),
            call: "(if (i32.ne (table.grow $table (ref.null func) (i32.const 0xfffffff)) (i32.const -1)) (then (unreachable)))
                (i32.const 1024)"
                .into(),
            ..good
        },
        "many memories" => Pieces { more: "(memory 1)".repeat(60), ..good },
        // A validator allows 100.
        "many tables" => Pieces { more: "(table 20000 funcref)".repeat(99), ..good },
        "many instances" => good,
        "a huge memory" => Pieces { pages: 16384, ..good },
        // One instruction that writes 2 MiB, again and again: no instruction is interrupted.
        "memory fill" => Pieces {
            pages: 512,
            call: "(loop $again (memory.fill (i32.const 131072) (i32.const 7) (i32.const 0x1f00000)) (br $again)) (unreachable)".into(),
            ..good
        },
        "answer beyond memory" => Pieces { call: "(i32.const -16)".into(), ..good },
        "answer askew" => Pieces { call: "(i32.const 1025)".into(), ..good },
        "a list of 1e9 bytes" => Pieces {
            call: "(i32.store8 (i32.const 1028) (i32.const 1)) (i32.store (i32.const 1032) (i32.const 65536))
                (i32.store (i32.const 1036) (i32.const 1000000000)) (i32.const 1024)"
                .into(),
            ..good
        },
        "a case that is not there" => {
            Pieces { call: "(i32.store8 (i32.const 1028) (i32.const 77)) (i32.const 1024)".into(), ..good }
        }
        "a reason that is not UTF-8" => Pieces {
            call: "(i32.store8 (i32.const 1028) (i32.const 2)) (i32.store (i32.const 1032) (i32.const 2048))
                (i32.store (i32.const 1036) (i32.const 2)) (i32.store16 (i32.const 2048) (i32.const 0x28c3)) (i32.const 1024)"
                .into(),
            ..good
        },
        // `edits.rows` says that it has 1e9 entries.
        "rows of 1e9 edits" => Pieces {
            call: "(i32.store (i32.const 1028) (i32.const 65536)) (i32.store (i32.const 1032) (i32.const 1000000000))
                (i32.const 1024)"
                .into(),
            ..attributes()
        },
        // Every column of the edits is the same 3 MiB of memory: what is copied is more than there is.
        "columns in one place" => Pieces {
            call: (0..5)
                .map(|column| {
                    let (at, len) = (1028 + 8 * column, if matches!(column, 0 | 3) { 786_432 } else { 3_145_728 });
                    format!("(i32.store (i32.const {at}) (i32.const 65536)) (i32.store (i32.const {}) (i32.const {len}))", at + 4)
                })
                .collect::<String>()
                + "(i32.const 1024)",
            ..attributes()
        },
        "log of 1e9 bytes" => Pieces {
            imports: r#"(import "tailrace:plugin/host@0.1.0" "log" (func $log (param i32 i32 i32)))"#,
            call: "(call $log (i32.const 2) (i32.const 65536) (i32.const 1000000000)) (i32.const 1024)".into(),
            ..good
        },
        "random bytes of 1e18" => Pieces {
            call: "(call $random (i64.const 1000000000000000000) (i32.const 2048)) (i32.const 1024)".into(),
            ..random()
        },
        "sockets" => Pieces {
            wit: ("package wasi:sockets@0.2.3 { interface network { open: func(); } }", "import wasi:sockets/network@0.2.3;"),
            imports: r#"(import "wasi:sockets/network@0.2.3" "open" (func $open))"#,
            call: "(call $open) (i32.const 1024)".into(),
            ..good
        },
        "an unknown package" => Pieces {
            wit: ("package acme:cloud@7.0.0 { interface keys { steal: func(); } }", "import acme:cloud/keys@7.0.0;"),
            imports: r#"(import "acme:cloud/keys@7.0.0" "steal" (func $steal))"#,
            call: "(call $steal) (i32.const 1024)".into(),
            ..good
        },
        other => panic!("nobody knows how to {other:?}"),
    }
}

/// With WASI's random bytes, an import that returns a list.
fn random() -> Pieces {
    Pieces {
        wit: (
            "package wasi:random@0.2.0 { interface random { get-random-bytes: func(len: u64) -> list<u8>; } }",
            "import wasi:random/random@0.2.0;",
        ),
        imports: r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#,
        ..Pieces::default()
    }
}

#[cfg(test)]
mod tests {
    /// Every guest is a component that a host could load.
    #[test]
    fn every_guest_can_be_made() {
        for name in super::NAMES {
            assert!(super::guest(name).starts_with(b"\0asm\x0d"), "{name}");
        }
    }

    #[test]
    fn every_bomb_can_be_made() {
        for bomb in [crate::bomb::large(4), crate::bomb::locals(10, 10), crate::bomb::nested(3)] {
            assert!(bomb.starts_with(b"\0asm\x0d"));
        }
    }
}
