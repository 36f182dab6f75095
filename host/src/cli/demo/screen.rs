//! The status as text: pure functions from values to lines.
//!
//! [`block`] is what is redrawn on a terminal, [`line`] the same in one line for everything that is no terminal. Both keep
//! to plain words; colour is an addition that nothing depends on.

use super::specimens::Pair;
use super::view::{Fate, PluginView, View, differences};
use std::time::Duration;

/// Attributes of a pair that are shown.
const DIFFERENCES_MAX: usize = 3;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// No escape sequences.
    Plain,
    /// Bold and dim, red for what went wrong.
    Colour,
}

impl Style {
    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// The lines that are redrawn at every refresh.
pub(super) fn block(view: &View, style: Style) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        row(style, "time", &clock(view), ""),
        row(style, "spans in", &count(view.accepted), &format!("{} a second, over OTLP gRPC", count(view.per_second))),
        row(style, "kept", &count(view.kept), &policies(view)),
        row(style, "dropped", &count(view.dropped.iter().map(|(_, spans)| spans).sum()), &reasons(&view.dropped)),
        row(style, "held", &count(view.held), "until their trace is decided or their batch is sent"),
        row(style, "arrived", &count(view.arrived), "at the backend, over OTLP gRPC"),
        row(style, "redacted", &count(view.redacted), &unredacted(view, style)),
        String::new(),
    ];
    lines.push(match &view.plugin {
        Some(plugin) => format!("  {}  {}", style.dim(&format!("{:<10}", "plugin")), plugin_line(plugin, style)),
        None => row(style, "plugin", "loading", ""),
    });
    lines.extend(view.pair.iter().flat_map(|pair| pair_lines(pair, style)));
    if let Some(refusal) = &view.refusal {
        lines.push(format!("  {}  {}", style.dim(&format!("{:<10}", "refused")), style.red(refusal)));
    }
    lines
}

/// The status in one line.
pub(super) fn line(view: &View) -> String {
    let mut line = format!(
        "{:>4}  in {} ({}/s)  kept {} ({})  dropped {}  held {}  arrived {}  redacted {}",
        seconds(view.elapsed),
        count(view.accepted),
        count(view.per_second),
        count(view.kept),
        policies(view),
        count(view.dropped.iter().map(|(_, spans)| spans).sum()),
        count(view.held),
        count(view.arrived),
        count(view.redacted),
    );
    if let Some(plugin) = &view.plugin {
        line.push_str(&format!("  {} {} gen {}", plugin.name, plugin.version, plugin.generation));
        if let Some(ns) = plugin.ns_per_span {
            line.push_str(&format!(" {} ns/span", count(ns)));
        }
    }
    line
}

/// A span as it was sent and as it arrived; only what differs.
pub(super) fn pair_lines(pair: &Pair, style: Style) -> Vec<String> {
    let head = format!(
        "  {}  {} of {}, span {:016x}",
        style.dim(&format!("{:<10}", "one span")),
        pair.name,
        pair.service,
        pair.span_id
    );
    let found = differences(&pair.before, &pair.after);
    if found.is_empty() {
        return vec![head, format!("{:14}arrived as it was sent", "")];
    }
    let before = |key: &str| {
        let value = pair.before.iter().find(|(other, _)| other == key);
        value.map_or_else(|| "-".to_owned(), |(_, value)| value.clone())
    };
    let rows = found.iter().take(DIFFERENCES_MAX).map(|(key, fate)| {
        let after = match fate {
            Fate::Gone => style.green("(gone)"),
            Fate::Changed(value) | Fate::Added(value) => style.green(value),
        };
        format!("{:14}{key}: {} -> {after}", "", before(key))
    });
    std::iter::once(head).chain(rows).collect()
}

fn row(style: Style, label: &str, value: &str, note: &str) -> String {
    let text = format!("  {}  {}  {}", style.dim(&format!("{label:<10}")), style.bold(&format!("{value:>10}")), note);
    text.trim_end().to_owned()
}

fn plugin_line(plugin: &PluginView, style: Style) -> String {
    let title = style.bold(&format!("{} {}", plugin.name, plugin.version));
    let cost = plugin.ns_per_span.map_or_else(String::new, |ns| format!(" · {} ns per span", count(ns)));
    let error = plugin
        .error
        .as_ref()
        .map_or_else(String::new, |error| format!(" · {}", style.red(&format!("not loaded: {error}"))));
    format!("{title} · generation {} · {}{cost}{error}", plugin.generation, plugin.hash)
}

fn clock(view: &View) -> String {
    match view.limit {
        Some(limit) => format!("{} of {}", seconds(view.elapsed), seconds(limit)),
        None => seconds(view.elapsed),
    }
}

fn policies(view: &View) -> String {
    if view.policies.is_empty() {
        return String::new();
    }
    let votes: Vec<String> =
        view.policies.iter().map(|(policy, traces)| format!("{policy} {}", count(*traces))).collect();
    format!("traces: {}", votes.join(" · "))
}

/// Counts by reason, in words.
pub(super) fn reasons(dropped: &[(String, u64)]) -> String {
    let reasons: Vec<String> =
        dropped.iter().map(|(reason, spans)| format!("{} {}", reason.replace('_', " "), count(*spans))).collect();
    reasons.join(" · ")
}

fn unredacted(view: &View, style: Style) -> String {
    match view.unredacted {
        0 => "attributes; no address reached the backend".to_owned(),
        seen => style.red(&format!("attributes; {} addresses reached the backend", count(seen))),
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// A number with commas between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
