//! `tailrace why`: asks a collector that runs why it kept a trace or did not, and what it decided lately.

mod one;
mod table;

use super::plugin::admin;
use super::plugin::paint::Paint;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// What stands below the flags.
pub(super) const HELP: &str = "\
Asks GET /tailsampling/why of the admin listener, which a collector has on localhost:13190 unless --admin-endpoint says
otherwise. How many decisions it remembers is said by `decision_history` of the tail_sampling processor.

Examples:
  tailrace why 4bf92f3577b34da6a3ce929d0e0e4736
  tailrace why --outcome dropped             what was dropped lately
  tailrace why --policy vip --vote error     where a policy failed
  tailrace why --disagree                    where shadow_policies would have decided differently

Exit codes: 0 it was answered; 1 nothing is known of the trace, or of the policy; 2 the collector could not be asked, or the question is wrong.";

/// Flags of `why`.
#[derive(Args, Debug)]
pub(super) struct WhyArgs {
    /// The trace, as 32 hexadecimal digits; without it the latest decisions are listed
    trace_id: Option<String>,
    /// The admin listener of the collector
    #[arg(long, visible_alias = "url", value_name = "URL", default_value = admin::DEFAULT)]
    admin: String,
    /// Print everything the collector says, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: Filter,
}

/// Which of the latest decisions.
#[derive(Args, Debug, Default)]
struct Filter {
    /// Only those on which this policy voted to keep or to drop (or as --vote says)
    #[arg(long, value_name = "NAME", conflicts_with = "trace_id")]
    policy: Option<String>,
    /// Only those on which a policy voted so: sampled, not_sampled, dropped or error
    #[arg(long, conflicts_with = "trace_id")]
    vote: Option<String>,
    /// Only those that ended so: sampled, not_sampled, dropped, too_large or undecided
    #[arg(long, conflicts_with = "trace_id")]
    outcome: Option<String>,
    /// Only those that came about so: due, root, num_traces, max_memory_mib, maximum_trace_spans, maximum_trace_size_bytes, shutdown,
    /// span_ingest or late
    #[arg(long, conflicts_with = "trace_id")]
    because: Option<String>,
    /// Only those on which the shadow policies would have decided differently
    #[arg(long, conflicts_with = "trace_id")]
    disagree: bool,
    /// So many at most [default: 20]
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
}

/// Asks and prints.
pub(super) fn run(args: &WhyArgs) -> ExitCode {
    let (status, answer) = match ask(args) {
        Ok(answer) => answer,
        Err(fault) => {
            eprintln!("{} {fault}", Paint::stderr().red("error:"));
            return ExitCode::from(2);
        }
    };
    if args.json {
        println!("{answer:#}");
    } else {
        let paint = Paint::stdout();
        let lines = if args.trace_id.is_some() { one::lines(&answer, paint) } else { table::lines(&answer, paint) };
        lines.iter().for_each(|line| println!("{line}"));
    }
    ExitCode::from(u8::from(status == 404))
}

/// The status, 200 or 404, and what the collector says.
fn ask(args: &WhyArgs) -> Result<(u16, Value), String> {
    let path = format!("/tailsampling/why{}", query(args));
    let (status, answer) = admin::get(&args.admin, &path)?;
    let error = answer.get("error").and_then(Value::as_str);
    match status {
        200 | 404 if answer.get("decisions").is_some() => Ok((status, answer)),
        404 => Err(format!(
            "{} is no admin listener of a Tailrace that knows GET /tailsampling/why: is it an older one?",
            args.admin
        )),
        _ => Err(error.map_or_else(|| format!("{} answered with {status}", args.admin), str::to_owned)),
    }
}

fn query(args: &WhyArgs) -> String {
    let Filter { policy, vote, outcome, because, disagree, limit } = &args.filter;
    let pairs = [
        ("trace_id", args.trace_id.clone()),
        ("policy", policy.clone()),
        ("vote", vote.clone()),
        ("outcome", outcome.clone()),
        ("because", because.clone()),
        ("disagree", disagree.then(|| "1".to_owned())),
        ("limit", limit.map(|limit| limit.to_string())),
    ];
    let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", encoded(&value?))));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { query } else { format!("?{query}") }
}

/// Text as part of a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A text of the answer.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A number of the answer.
fn number(value: &Value, key: &str) -> f64 {
    value.get(key).and_then(Value::as_f64).unwrap_or_default()
}

/// The objects of a list of the answer.
fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A time span for people.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3_600.0 => format!("{:.0} min {:.0} s", (s / 60.0).floor(), (s % 60.0).floor()),
        s if s < 172_800.0 => format!("{:.0} h {:.0} min", (s / 3_600.0).floor(), (s % 3_600.0 / 60.0).floor()),
        s => format!("{:.0} days", (s / 86_400.0).floor()),
    }
}

#[cfg(test)]
mod tests;
