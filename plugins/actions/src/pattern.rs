//! Regular expressions of the Collector, compiled by the host.

use tailrace_pattern::translate;
use tailrace_sdk::patterns::Patterns;

/// Compiles expressions written for Go.
///
/// # Errors
/// The number of the first expression that is none, and what is wrong with it.
pub fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Patterns, (usize, String)> {
    let translated: Vec<_> = patterns.iter().map(|pattern| translate(pattern.as_ref())).collect();
    Patterns::compile(translated.iter().map(String::as_str)).map_err(|error| {
        // The host names the expression; which one it is in the list says the first that does not compile alone.
        let alone = |pattern: &String| Patterns::compile([pattern.as_str()]).err();
        let first = translated.iter().enumerate().find_map(|(at, pattern)| Some((at, alone(pattern)?)));
        first.unwrap_or((0, error))
    })
}
