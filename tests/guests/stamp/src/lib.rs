//! A guest whose behaviour is a text in its data: a test writes another text into the compiled component and has another
//! version, without a compiler (`tailrace_tests::plugins::stamp`).
//!
//! The text is the value that every `url.path` gets, unless it is one of those in [`Behaviour`].

use std::hint::black_box;
use tailrace_sdk::{Attributes, Edit, Failure, Group, Interest, Plugin};

/// The mark to look for, and room for 32 bytes of text.
static TEXT: [u8; 48] = *b"TAILRACE-STAMP->unmarked                        ";

/// What the text makes of the plugin.
struct Stamp(&'static str);

/// Nothing can be configured.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Plugin for Stamp {
    type Config = Config;

    #[expect(clippy::panic, reason = "that is what it is for")]
    fn new(_: Config) -> Result<Self, String> {
        let text = black_box(&TEXT).get(16..).unwrap_or_default();
        match std::str::from_utf8(text).unwrap_or_default().trim_end() {
            "trap-in-configure" => panic!("a trap in configure"),
            "sleep-in-configure" => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                Err("it slept long enough".to_owned())
            }
            "refuse-configure" => Err("this configuration is not for me".to_owned()),
            text => Ok(Self(text)),
        }
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes(["url.path"])
    }
}

impl Attributes for Stamp {
    #[expect(clippy::panic, reason = "that is what it is for")]
    fn group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        match self.0 {
            "trap" => panic!("a trap in a call"),
            "loop" => loop {
                black_box(());
            },
            "grow" => loop {
                black_box(vec![1_u8; 16 << 20].leak());
            },
            "later" => Err(Failure::Retryable("come back later".to_owned())),
            "never" => Err(Failure::Permanent("this will never do".to_owned())),
            text => {
                for at in 0..group.len() {
                    group.edit(at, Edit::set(text));
                }
                Ok(())
            }
        }
    }
}

tailrace_sdk::export!(Stamp: attributes);
