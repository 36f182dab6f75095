//! Plugins that are dear to compile: small files that keep a compiler busy, or make it want memory, for far longer than an
//! honest plugin of their size. All of them are valid, and good plugins once they are compiled.
//!
//! What they cost is printed by `cargo run --release -p tailrace-tests --bin mad -- bombs`.

use crate::crafted::Pieces;
use std::fmt::Write as _;
use wasmparser::{Parser, Payload};

/// A plugin of about `kib` KiB whose code is like that of a large program: functions of arithmetic and branches. The
/// time it takes is in proportion to its size.
pub fn large(kib: usize) -> Vec<u8> {
    let mut more = String::new();
    // About 1 KiB each.
    for function in 0..kib {
        write!(more, "(func (param i32 i64) (result i64) (local i64 i64 i64)").expect("a string");
        for step in 0..60 {
            let (a, b) = (1 + step % 4, 1 + (step * 7 + function) % 4);
            write!(
                more,
                "(if (i32.and (local.get 0) (i32.const {step})) (then (local.set {a} (i64.mul (local.get {b}) (i64.const {})))))",
                function * 31 + step
            )
            .expect("a string");
        }
        more.push_str("(i64.add (local.get 1) (local.get 2)))");
    }
    Pieces { more, ..Pieces::default() }.component()
}

/// One function of `locals` values that all stay alive through `loops` loops, each of which may change each of them: what
/// the compiler keeps in mind is the product.
pub fn locals(locals: usize, loops: usize) -> Vec<u8> {
    let mut more = String::from("(func (param i32) (result i64) (local");
    more.push_str(&" i64".repeat(locals));
    more.push(')');
    for turn in 0..loops {
        // A table of branches out of a nest of blocks: every value may come from every branch.
        let local = 1 + turn % locals;
        let other = 1 + (turn * 17 + 5) % locals;
        write!(
            more,
            "(loop $again (block $out (br_if $out (i32.and (local.get 0) (i32.const {turn})))
                (local.set {local} (i64.add (local.get {other}) (local.get {local}))) (br_if $again (local.get 0))))"
        )
        .expect("a string");
    }
    more.push_str("(i64.const 0)");
    for local in 1..=locals {
        write!(more, "(i64.xor (local.get {local}))").expect("a string");
    }
    more.push(')');
    Pieces { more, ..Pieces::default() }.component()
}

/// A component in a component, `levels` deep, each of which instantiates the one inside twice: 2^`levels` instances in a
/// file that grows by a few bytes with each level.
pub fn nested(levels: usize) -> Vec<u8> {
    let mut text = String::from("(component $c0 (core module $m) (core instance (instantiate $m)))");
    for level in 1..=levels {
        let inner = level - 1;
        text = format!(
            "{text}\n(component $c{level} (instance (instantiate $c{inner})) (instance (instantiate $c{inner})))"
        );
    }
    let text = format!("(component {text} (instance (instantiate $c{levels})))");
    attach(&Pieces::default().component(), &wat::parse_str(text).unwrap_or_else(|error| panic!("{error}")))
}

/// A component that makes so many core instances.
pub(crate) fn instances(count: usize) -> Vec<u8> {
    let instances = "(core instance (instantiate $m))".repeat(count);
    let text = format!("(component (core module $m (func)) {instances})");
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// `plugin` with another component in it, which it instantiates and does not use.
///
/// # Panics
/// When `plugin` is no component.
pub(crate) fn attach(plugin: &[u8], nested: &[u8]) -> Vec<u8> {
    let components = components(plugin);
    let mut whole = plugin.to_vec();
    // Section 4 is a component; section 5 instances: one, of a component, with this number, and no arguments.
    section(&mut whole, 4, nested);
    let mut instance = vec![1, 0];
    leb(&mut instance, components);
    instance.push(0);
    section(&mut whole, 5, &instance);
    whole
}

/// How many components lie directly in this one.
fn components(plugin: &[u8]) -> usize {
    let (mut depth, mut components) = (0_i32, 0);
    for payload in Parser::new(0).parse_all(plugin) {
        match payload.expect("a component") {
            Payload::ModuleSection { .. } => depth += 1,
            Payload::ComponentSection { .. } => {
                components += usize::from(depth == 0);
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    components
}

/// `plugin` with a custom section of so many bytes: a file for which only its size matters.
pub(crate) fn custom(plugin: &[u8], bytes: usize) -> Vec<u8> {
    let mut whole = plugin.to_vec();
    let mut content = vec![4, b'f', b'a', b't', b's'];
    content.resize(bytes, b'.');
    section(&mut whole, 0, &content);
    whole
}

/// `plugin` that exports a component of no use under so many names.
pub(crate) fn exports(plugin: &[u8], count: usize) -> Vec<u8> {
    let components = components(plugin);
    let mut whole = plugin.to_vec();
    section(&mut whole, 4, b"\0asm\x0d\0\x01\0");
    let mut names = Vec::new();
    leb(&mut names, count);
    for number in 0..count {
        let name = format!("an-export-of-no-use-x{number}");
        names.push(0);
        leb(&mut names, name.len());
        names.extend_from_slice(name.as_bytes());
        // A component, by its number, without a type of its own.
        names.push(4);
        leb(&mut names, components);
        names.push(0);
    }
    section(&mut whole, 11, &names);
    whole
}

/// The text of a component in which one inside calls another: `functions` functions, each with a list of tuples of `fields`
/// tuples of `fields` numbers. What copies the values from one to the other is code that the compiler makes up.
pub(crate) fn adapters(functions: usize, fields: usize) -> String {
    let tuple = |of: &str| format!("(tuple{})", format!(" {of}").repeat(fields));
    let (small, large) = (tuple("u64"), tuple("$small"));
    let each = |text: &dyn Fn(usize) -> String| (0..functions).map(text).collect::<String>();
    let types = format!("(type $small {small}) (type $large {large}) (type $f (func (param \"of\" (list $large))))");
    let core = each(&|n| format!("(func (export \"f{n}\") (param i32 i32))"));
    let lifted = each(&|n| {
        format!(
            "(func $f{n} (type $f) (canon lift (core func $i \"f{n}\") (memory $i \"memory\") (realloc (func $i \"realloc\"))))
            (export \"f{n}\" (func $f{n}))"
        )
    });
    let realloc = "(func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 0))";
    let lowered = each(&|n| format!("(core func $l{n} (canon lower (func $server \"f{n}\") (memory $m \"memory\")))"));
    let imports = each(&|n| format!("(import \"server\" \"f{n}\" (func (param i32 i32)))"));
    let given = each(&|n| format!("(export \"f{n}\" (func $l{n}))"));
    format!(
        "(component
            (component $server {types}
                (core module $m (memory (export \"memory\") 1) {realloc} {core})
                (core instance $i (instantiate $m))
                {lifted})
            (instance $server (instantiate $server))
            (core module $memory (memory (export \"memory\") 1))
            (core instance $m (instantiate $memory))
            {lowered}
            (core module $client {imports})
            (core instance $given {given})
            (core instance (instantiate $client (with \"server\" (instance $given)))))"
    )
}

fn section(whole: &mut Vec<u8>, id: u8, content: &[u8]) {
    whole.push(id);
    leb(whole, content.len());
    whole.extend_from_slice(content);
}

fn leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
