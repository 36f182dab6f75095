//! An `attributes` plugin that does what its configuration says: `{"do": "loop"}`. It speaks the contract without the
//! SDK's help, so that it can break it.
//!
//! It asks for the attributes `victim` at every level. What it can do, see [`apply`].
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, missing_docs, clippy::panic, clippy::expect_used, clippy::unwrap_used, clippy::exit)]

use std::cell::RefCell;
use tailrace_sdk::guest::attributes::{self, Additions, Edits, Failure, Projection, Signal};
use tailrace_sdk::guest::lifecycle::bindings::exports::tailrace::plugin::lifecycle::{
    AttributeSelector, Guest as Lifecycle, Info, Instances, Interest,
};
use tailrace_sdk::guest::lifecycle::bindings::tailrace::plugin::host::{LogLevel, log};

/// Tests replace these bytes in the compiled file to make versions that can be told apart.
static STAMP: [u8; 12] = *b"@@STAMP-00@@";

thread_local! {
    static DO: RefCell<String> = const { RefCell::new(String::new()) };
    static HOARD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

struct Mad;

impl Lifecycle for Mad {
    fn describe() -> Info {
        std::panic::set_hook(Box::new(|panic| log(LogLevel::Error, &panic.to_string())));
        Info { name: "mad-attributes".into(), version: stamp(), config_schema: None, error_mode: None }
    }

    fn configure(config: String) -> Result<Interest, String> {
        let config: serde_json::Value = serde_json::from_str(&config).map_err(|error| error.to_string())?;
        let what = config["do"].as_str().unwrap_or("stamp").to_owned();
        let mut interest = Interest {
            signals: vec![],
            attributes: vec![AttributeSelector::Exact("victim".into())],
            levels: vec![],
            intrinsics: vec![],
            always: false,
            instances: Instances::Pooled,
        };
        match what.as_str() {
            "panic in configure" => panic!("no configuration will ever do"),
            "refuse configure" => return Err("this configuration is not to my taste".into()),
            "loop in configure" => spin(),
            "ask for the unknown" => interest.intrinsics.push("span.colour".into()),
            "ask for nothing" => interest.attributes.clear(),
            "ask for fields" => interest.intrinsics = vec!["span.name".into(), "span.duration".into()],
            "add to all, always" => interest.always = true,
            "run alone" => interest.instances = Instances::Single,
            _ => {}
        }
        DO.replace(what);
        Ok(interest)
    }
}

impl attributes::Guest for Mad {
    fn apply(_: Signal, values: Projection) -> Result<Edits, Failure> {
        apply(&values)
    }
}

fn apply(values: &Projection) -> Result<Edits, Failure> {
    let rows = u32::try_from(values.owners.len()).unwrap();
    let what = DO.with_borrow(Clone::clone);
    if rows == 0 && !["trap on nothing", "add to all, always"].contains(&&*what) {
        return Ok(edits(&[], &[], &[]));
    }
    let edits = match what.as_str() {
        // Sets every value to the stamp of this file.
        "stamp" | "run alone" => {
            let stamp = stamp();
            edits(&(0..rows).collect::<Vec<_>>(), &vec![0; rows as usize], &vec![stamp.as_bytes(); rows as usize])
        }
        "trap on nothing" => panic!("nothing is too much"),
        "trap on poison" => {
            assert!(!String::from_utf8_lossy(&values.data).contains("poison"), "this batch is poisoned");
            edits(&[], &[], &[])
        }
        "trap" => panic!("as I was told"),
        "loop" => spin(),
        "wait" => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            edits(&[], &[], &[])
        }
        "exit" => std::process::exit(0),
        "grow" => loop {
            HOARD.with_borrow_mut(|hoard| hoard.push(vec![1; 1 << 20]));
        },
        // Grows a little with every call, and works.
        "leak" => {
            HOARD.with_borrow_mut(|hoard| hoard.push(vec![1; 1 << 20]));
            edits(&[], &[], &[])
        }
        "giant" => edits(&[0], &[0], &[&vec![b'x'; 8 << 20]]),
        "no such row" => edits(&[rows], &[1], &[b""]),
        "twice" => edits(&[0, 0], &[0, 0], &[b"a", b"b"]),
        "not UTF-8" => edits(&[0], &[0], &[&[0xc3, 0x28]]),
        "beyond the data" => Edits { ends: vec![1000], ..edits(&[0], &[0], &[b"a"]) },
        "uneven" => Edits { kinds: vec![], ..edits(&[0], &[0], &[b"a"]) },
        "unknown action" => edits(&[0], &[77], &[b""]),
        "remove a field" => edits(&[0], &[1], &[b""]),
        "remove" => edits(&(0..rows).collect::<Vec<_>>(), &vec![1; rows as usize], &vec![&b""[..]; rows as usize]),
        "add" => Edits { additions: additions(&[0]), ..edits(&[], &[], &[]) },
        "add to all, always" => {
            let items = (0..values.shape.items).collect::<Vec<_>>();
            Edits { additions: additions(&items), ..edits(&[], &[], &[]) }
        }
        "add to no one" => Edits { additions: additions(&[u32::MAX]), ..edits(&[], &[], &[]) },
        "drop the first" => edits(&[0], &[2], &[b""]),
        "drop all" => edits(&(0..rows).collect::<Vec<_>>(), &vec![2; rows as usize], &vec![&b""[..]; rows as usize]),
        "shout" => {
            for _ in 0..100_000 {
                log(LogLevel::Info, "listen to me");
            }
            println!("and on stdout");
            edits(&[], &[], &[])
        }
        "look around" => {
            let open = std::fs::read("/etc/passwd").is_ok()
                || std::fs::read_dir("/").is_ok()
                || std::env::vars().next().is_some()
                || std::env::args().next().is_some();
            assert!(!open, "the world is open");
            let _ = std::time::SystemTime::now();
            edits(&[], &[], &[])
        }
        "later" => return Err(Failure::Retryable("not now".into())),
        "never" => return Err(Failure::Permanent("not ever".into())),
        other => panic!("I do not know how to {other}"),
    };
    Ok(edits)
}

fn edits(rows: &[u32], actions: &[u8], values: &[&[u8]]) -> Edits {
    let mut data = Vec::new();
    let ends = values.iter().map(|value| {
        data.extend_from_slice(value);
        u32::try_from(data.len()).unwrap()
    });
    let ends = ends.collect();
    let kinds = actions.iter().map(|action| u8::from(*action == 0)).collect();
    let additions = additions(&[]);
    Edits { rows: rows.to_vec(), actions: actions.to_vec(), kinds, ends, data, additions }
}

/// Sets the attribute `added` of these items.
fn additions(items: &[u32]) -> Additions {
    let count = items.len();
    Additions {
        owners: items.to_vec(),
        levels: vec![2; count],
        actions: vec![0; count],
        keys: vec![0; count],
        kinds: vec![2; count],
        ends: (1..).take(count).collect(),
        data: vec![1; count],
        name_ends: vec![5],
        names: "added".into(),
    }
}

fn stamp() -> String {
    String::from_utf8_lossy(&std::hint::black_box(STAMP)).into_owned()
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

tailrace_sdk::guest::lifecycle::bindings::export!(Mad with_types_in tailrace_sdk::guest::lifecycle::bindings);
attributes::bindings::export!(Mad with_types_in attributes::bindings);
