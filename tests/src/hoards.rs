//! Guests that aim at what the host holds for them: handles, timers, expressions, series. Written by hand, as those of
//! [`crate::crafted`]; none of them breaks the contract, each wants ever more of what it allows.

use crate::bomb;
use crate::crafted::Pieces;

/// What [`guest`] knows.
pub const NAMES: &[&str] = &[
    "pollables without end",
    "a hundred pollables with each call",
    "resources of its own",
    "one pollable a million times",
    "short naps",
    "long naps",
    "sleeps at once",
];

/// A guest with one of the behaviours in [`NAMES`].
///
/// # Panics
/// When there is none of this name.
pub fn guest(name: &str) -> Vec<u8> {
    let call = match name {
        // No call after the first gets as far as one: what the host has for one instance is full then.
        "pollables without end" => {
            "(loop $again (drop (call $sleep (i64.const 3600000000000))) (br $again)) (unreachable)"
        }
        "a hundred pollables with each call" => {
            "(global.set $n (i64.const 100))
            (loop $again
                (drop (call $sleep (i64.const 3600000000000)))
                (global.set $n (i64.sub (global.get $n) (i64.const 1)))
                (br_if $again (i64.ne (global.get $n) (i64.const 0))))
            (i32.const 1024)"
        }
        "resources of its own" => {
            return Pieces {
                wit: ("", "export things: interface { resource thing; }"),
                imports: r#"(import "[export]things" "[resource-new]thing" (func $new (param i32) (result i32)))"#,
                call: "(loop $again (drop (call $new (i32.const 7))) (br $again)) (unreachable)".into(),
                ..Pieces::default()
            }
            .component();
        }
        // A list of a million times the same handle, again and again.
        "one pollable a million times" => {
            "(global.set $p (call $sleep (i64.const 0)))
            (global.set $n (i64.const 4000000))
            (loop $fill
                (i32.store offset=65536 (i32.wrap_i64 (global.get $n)) (global.get $p))
                (global.set $n (i64.sub (global.get $n) (i64.const 4)))
                (br_if $fill (i64.ge_s (global.get $n) (i64.const 0))))
            (loop $again
                (global.set $free (i32.const 4194304))
                (call $poll (i32.const 65536) (i32.const 1000000) (i32.const 2048)) (br $again))
            (unreachable)"
        }
        // It computes for a moment, sleeps for a moment, and so on for ever.
        "short naps" => "(call $naps (i64.const 1000000) (i64.const 1000000)) (unreachable)",
        // As little as passes for progress, and as long a sleep as passes for waiting.
        "long naps" => "(call $naps (i64.const 4000000) (i64.const 900000000)) (unreachable)",
        "sleeps at once" => "(call $naps (i64.const 0) (i64.const 3600000000000)) (unreachable)",
        other => panic!("nobody knows how to hoard {other:?}"),
    };
    Pieces { call: call.into(), ..sleeper() }.component()
}

/// With WASI's timers and the host's clock.
fn sleeper() -> Pieces {
    Pieces {
        wit: (
            "package wasi:io@0.2.0 {
                interface poll { resource pollable { block: func(); } poll: func(in: list<borrow<pollable>>) -> list<u32>; }
            }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    subscribe-duration: func(when: u64) -> pollable;
                }
            }",
            "import wasi:io/poll@0.2.0; import wasi:clocks/monotonic-clock@0.2.0;",
        ),
        imports: r#"
            (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $sleep (param i64) (result i32)))
            (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
            (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $wake (param i32)))
            (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
            (import "tailrace:plugin/host@0.1.0" "now" (func $now (result i64)))"#,
        more: "(global $n (mut i64) (i64.const 0))
            (global $p (mut i32) (i32.const 0))
            (func $naps (param $compute i64) (param $sleep i64) (local $start i64) (local $pollable i32)
                (loop $again
                    (local.set $start (call $now))
                    (loop $spin
                        (br_if $spin (i64.lt_s (i64.sub (call $now) (local.get $start)) (local.get $compute))))
                    (local.set $pollable (call $sleep (local.get $sleep)))
                    (call $block (local.get $pollable))
                    (call $wake (local.get $pollable))
                    (br $again)))"
            .into(),
        pages: 256,
        ..Pieces::default()
    }
}

/// Files that are odd as files: their names, and the bytes. All of them are good plugins, or would be but for one thing.
pub fn odd_files() -> Vec<(&'static str, Vec<u8>)> {
    let good = || Pieces::default().component();
    let nested = |text: String| bomb::attach(&good(), &wat::parse_str(text).unwrap_or_else(|error| panic!("{error}")));
    vec![
        ("a custom section of 50 MiB", bomb::custom(&good(), 50 << 20)),
        ("4 GiB of memory at least", Pieces { pages: 65536, ..Pieces::default() }.component()),
        ("5,000 exports", bomb::exports(&good(), 5_000)),
        ("5,000 core modules", nested(format!("(component {})", "(core module)".repeat(5_000)))),
        ("100,000 types", nested(format!("(component {})", "(type u8)".repeat(100_000)))),
        ("adapters of large tuples", nested(bomb::adapters(40, 100))),
        ("40 MiB of data", Pieces { pages: 700, more: data(40 << 20), ..Pieces::default() }.component()),
        ("40 MiB of passive data", Pieces { pages: 700, more: passive(40 << 20), ..Pieces::default() }.component()),
    ]
}

fn data(bytes: usize) -> String {
    format!("(data (i32.const 70000) \"{}\")", "0123456789abcdef".repeat(bytes / 16))
}

fn passive(bytes: usize) -> String {
    format!("(data \"{}\")", "0123456789abcdef".repeat(bytes / 16))
}
#[cfg(test)]
mod tests {
    /// Every guest and every file is a component, whatever else it is.
    #[test]
    fn every_guest_can_be_made() {
        let guests = super::NAMES.iter().map(|name| (*name, super::guest(name)));
        for (name, file) in guests.chain(super::odd_files()) {
            assert!(file.starts_with(b"\0asm\x0d"), "{name}");
        }
    }
}
