//! An `attributes` plugin that does what its configuration says: `{"do": "loop"}`. It speaks the contract without the
//! SDK's help, so that it can break it.
//!
//! It asks for the attributes `victim` at every level. What it can do, see [`apply`].
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, missing_docs, clippy::panic, clippy::expect_used, clippy::unwrap_used, clippy::exit)]

use std::cell::RefCell;
use tailrace_sdk::guest::attributes::{self, Additions, Edits, Failure, Projection, Signal};
use tailrace_sdk::guest::lifecycle::bindings::exports::tailrace::plugin::lifecycle::{
    AttributeSelector, Guest as Lifecycle, Info, Instances, Interest, Level,
};
use tailrace_sdk::guest::lifecycle::bindings::tailrace::plugin::host::{
    LogLevel, MetricKind, Texts, compile_patterns, find_patterns, hash_texts, log, now, open_metric, random,
    record_metric,
};

/// Tests replace these bytes in the compiled file to make versions that can be told apart.
static STAMP: [u8; 12] = *b"@@STAMP-00@@";

/// What it does without a configuration. Tests write another text here (`tailrace_tests::guests::behaving`).
static BEHAVIOUR: [u8; 64] = *b"MAD-BEHAVIOUR->stamp                                            ";

fn behaviour() -> String {
    let text = std::hint::black_box(BEHAVIOUR);
    String::from_utf8_lossy(&text[15..]).trim_end().to_owned()
}

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
        let what = config["do"].as_str().map_or_else(behaviour, str::to_owned);
        let what = if what == "go on" { DO.with_borrow(Clone::clone) } else { what };
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
            "refuse and forge" => {
                return Err("do: is not to my taste\n2026-01-01T00:00:00Z ERROR on fire\u{1b}[2J\r\u{85}end".into());
            }
            "loop in configure" => spin(),
            "ask for the unknown" => interest.intrinsics.push("span.colour".into()),
            "ask for nothing" => interest.attributes.clear(),
            "ask for fields" => interest.intrinsics = vec!["span.name".into(), "span.duration".into()],
            "add to all, always" => interest.always = true,
            "ask for a million" => {
                interest.attributes = (0..1_000_000).map(|n| AttributeSelector::Exact(format!("k{n}"))).collect();
            }
            "ask for the same field again" => interest.intrinsics = vec!["span.name".into(); 100_000],
            "ask everywhere, again" => {
                interest.levels = vec![Level::Item; 1_000_000];
                interest.signals = vec![Signal::Logs; 1_000_000];
                interest.signals.push(Signal::Traces);
            }
            // The first instance is made before this moment (seconds since 1970), others after it.
            _ if what.starts_with("refuse after ") => {
                let moment: u64 = what.rsplit(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default();
                if now() > moment * 1_000_000_000 {
                    return Err("no ".repeat(1_000_000));
                }
            }
            "run alone" => interest.instances = Instances::Single,
            // Each instance sees other columns than the host thinks.
            "another interest each time" => {
                interest.intrinsics = vec!["span.name".into(), "span.status_message".into(), "span.kind".into()];
                interest.intrinsics.rotate_left(random() as usize % 3);
                interest.attributes.push(AttributeSelector::Exact(format!("k{}", random())));
            }
            // The same in another order, as it comes out of a hash table: that is allowed.
            "another order each time" => {
                interest.attributes.extend((0..5).map(|n| AttributeSelector::Exact(format!("k{n}"))));
                let count = interest.attributes.len();
                interest.attributes.rotate_left(random() as usize % count);
                interest.levels = vec![Level::Item, Level::Event];
                interest.levels.rotate_left(random() as usize % 2);
            }
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
        "stamp" | "run alone" | "another order each time" => {
            let stamp = stamp();
            edits(&(0..rows).collect::<Vec<_>>(), &vec![0; rows as usize], &vec![stamp.as_bytes(); rows as usize])
        }
        "another interest each time" => edits(&[], &[], &[]),
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
        "poll the clock" => {
            let end = std::time::Instant::now() + std::time::Duration::from_secs(3600);
            while std::time::Instant::now() < end {}
            edits(&[], &[], &[])
        }
        "poll the host's clock" => {
            let end = now() + 3600 * 1_000_000_000;
            while now() < end {}
            edits(&[], &[], &[])
        }
        "recurse" => {
            std::hint::black_box(deeper(rows));
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
        "overlapping" => {
            let both = edits(&[0, 1], &[0, 0], &[b"abc", b"def"]);
            Edits { ends: vec![3, 1], ..both }
        }
        "add without end" => Edits { additions: flood(count(300_000), ""), ..edits(&[], &[], &[]) },
        "edit as often as fits" => {
            let rows: Vec<u32> = (0..count(300_000)).collect();
            let values = vec![&b""[..]; rows.len()];
            edits(&rows, &vec![1; rows.len()], &values)
        }
        // True ones, each an attribute of its own, on one item.
        "a hundred thousand additions" => Edits { additions: flood(100_000, ""), ..edits(&[], &[], &[]) },
        // Few bytes for the guest, very many for the host: a long key, written once and used again and again.
        "multiply" => {
            let mut additions = flood(20_000, &"k".repeat(100_000));
            additions.keys.fill(0);
            for (number, owner) in additions.owners.iter_mut().enumerate() {
                *owner = number as u32 % values.shape.items;
            }
            Edits { additions, ..edits(&[], &[], &[]) }
        }
        "add nonsense" => Edits { additions: Additions { kinds: vec![99], ..additions(&[0]) }, ..edits(&[], &[], &[]) },
        "add a key that is not there" => {
            Edits { additions: Additions { keys: vec![7], ..additions(&[0]) }, ..edits(&[], &[], &[]) }
        }
        "add uneven" => Edits { additions: Additions { kinds: vec![], ..additions(&[0]) }, ..edits(&[], &[], &[]) },
        "drop everything again and again" => {
            let mut additions = flood(100_000, "");
            additions.levels.fill(0);
            additions.actions.fill(2);
            additions.kinds.fill(0);
            additions.ends.fill(0);
            additions.data.clear();
            Edits { additions, ..edits(&[], &[], &[]) }
        }
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
        "print without end" => loop {
            println!("line after line");
            eprintln!("and on the other side");
        },
        "a line without end" => loop {
            print!("{}", "and on ".repeat(1000));
        },
        "shout at length" => {
            for _ in 0..20 {
                log(LogLevel::Info, &"listen to me ".repeat(100_000));
            }
            edits(&[], &[], &[])
        }
        "forge a line" => {
            log(LogLevel::Info, "innocent\n2026-01-01T00:00:00Z ERROR the host is on fire\u{1b}[2J\r\u{85}\u{2028}end");
            eprintln!("a line \u{1b}[31m and a \r return");
            edits(&[], &[], &[])
        }
        "refuse at length" => return Err(Failure::Permanent("no\r\nx-evil: 1\u{0} ".repeat(100_000))),
        "panic at length" => panic!("{}", "oh\n".repeat(100_000)),
        "flood of metrics" => {
            for number in 0..20_000 {
                if let Ok(metric) = open_metric(MetricKind::Counter, &format!("flood_{number}"), &[]) {
                    record_metric(metric, 1.0);
                }
            }
            edits(&[], &[], &[])
        }
        // A pattern that is slow on this text, and a text as long as may be.
        "match for ever" => {
            let pattern = "(?:a?){200}a{200}".to_owned();
            let set = compile_patterns(&[pattern]).expect("a pattern");
            let data = "a".repeat(1 << 20);
            let texts = Texts { ends: vec![data.len() as u32], data };
            loop {
                std::hint::black_box(find_patterns(set, &texts));
            }
        }
        "hash for ever" => loop {
            let data = "x".repeat(2 << 20);
            let texts = Texts { ends: vec![data.len() as u32], data };
            std::hint::black_box(hash_texts("sha512", &[], &texts)).expect("a hash");
        },
        "compile for ever" => {
            let patterns: Vec<String> = (0..1000).map(|n| format!("[a-z]{{{}}}\\w+{n}", n % 50)).collect();
            for _ in 0..1_000_000 {
                let _ = std::hint::black_box(compile_patterns(&patterns));
            }
            edits(&[], &[], &[])
        }
        // Sets that are as large as may be, and it keeps them all.
        "hoard patterns" => {
            for _ in 0..count(100) {
                let _ = compile_patterns(&large_set());
            }
            edits(&[], &[], &[])
        }
        "compile a set with each call" => {
            let _ = compile_patterns(&large_set());
            edits(&[], &[], &[])
        }
        "hoard series" => {
            for number in 0..count(50) {
                let labels: Vec<_> =
                    (0..8).map(|n| (format!("l{n}"), format!("{number:0>190}{}", random() % 1000))).collect();
                if let Ok(metric) = open_metric(MetricKind::Histogram, "hoard", &labels) {
                    record_metric(metric, 1.0);
                }
            }
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

/// A set of expressions that is as dear as it may be, and that nobody has compiled before.
fn large_set() -> Vec<String> {
    let salt = random();
    (0..count(1000)).map(|n| format!("[a-z]{{{}}}\\w+{n}x{salt:x}", n % 50)).collect()
}

/// `count`, hidden from the optimiser.
fn count(count: u32) -> u32 {
    std::hint::black_box(count)
}

#[allow(unconditional_recursion, reason = "that is the point")]
fn deeper(level: u32) -> u64 {
    let frame = std::hint::black_box([u64::from(level); 64]);
    frame[level as usize % 64] + deeper(level.wrapping_add(1))
}

/// So many additions to item 0, each of a key of its own that begins like this.
fn flood(count: u32, key: &str) -> Additions {
    let mut names = String::new();
    let mut name_ends = Vec::new();
    for number in 0..if key.is_empty() { count } else { 1 } {
        names.push_str(key);
        names.push_str(&format!("{number:x}"));
        name_ends.push(names.len() as u32);
    }
    let len = count as usize;
    Additions {
        owners: vec![0; len],
        levels: vec![2; len],
        actions: vec![0; len],
        keys: (0..count).collect(),
        kinds: vec![2; len],
        ends: (1..=count).collect(),
        data: vec![1; len],
        name_ends,
        names,
    }
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
