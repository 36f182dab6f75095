//! What the demo shows, as plain values: gathered once a refresh, rendered by `screen`.

use super::specimens::{Pair, Shown};
use std::time::Duration;

/// Everything on the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    /// Time since the start.
    pub elapsed: Duration,
    /// When it ends by itself.
    pub limit: Option<Duration>,
    /// Spans that the collector accepted.
    pub accepted: u64,
    /// The same per second, over the last moments.
    pub per_second: u64,
    /// Spans that tail sampling let pass.
    pub kept: u64,
    /// Traces by the policy that kept them, in the order of the configuration.
    pub policies: Vec<(String, u64)>,
    /// Spans dropped, by reason.
    pub dropped: Vec<(String, u64)>,
    /// Spans inside the collector.
    pub held: u64,
    /// Attributes that the plugin changed or removed.
    pub redacted: u64,
    /// Spans at the backend.
    pub arrived: u64,
    /// Of these, those that still named a user by address.
    pub unredacted: u64,
    /// The running plugin, once there is one.
    pub plugin: Option<PluginView>,
    /// A span before and after.
    pub pair: Option<Pair>,
    /// The last refusal that the generator got.
    pub refusal: Option<String>,
}

/// The running plugin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PluginView {
    /// As it calls itself.
    pub name: String,
    /// As its author counts.
    pub version: String,
    /// How many versions have run, this one included.
    pub generation: u64,
    /// The beginning of the hash of its file.
    pub hash: String,
    /// Mean time for each span that passed, with everything around the call.
    pub ns_per_span: Option<u64>,
    /// Why the file that lies there now does not run.
    pub error: Option<String>,
}

/// What became of an attribute on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not there any more.
    Gone,
    /// There, with this value.
    Changed(String),
    /// Not there before.
    Added(String),
}

/// The attributes that are not as they were, in the order of the span; added ones last.
pub(super) fn differences(before: &Shown, after: &Shown) -> Vec<(String, Fate)> {
    let value_in =
        |side: &Shown, key: &str| side.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone());
    let changed = before.iter().filter_map(|(key, value)| match value_in(after, key) {
        None => Some((key.clone(), Fate::Gone)),
        Some(now) if now != *value => Some((key.clone(), Fate::Changed(now))),
        Some(_) => None,
    });
    let added = after.iter().filter(|(key, _)| value_in(before, key).is_none());
    changed.chain(added.map(|(key, value)| (key.clone(), Fate::Added(value.clone())))).collect()
}

/// Events that are worth a line of their own, found by comparing two views.
pub(super) fn events(before: &View, now: &View) -> Vec<String> {
    let mut events = Vec::new();
    match (&before.plugin, &now.plugin) {
        (Some(old), Some(new)) if old.generation != new.generation => {
            let accepted = super::screen::count(now.accepted);
            events.push(format!(
                "hot reload: {} -> {}, generation {} -> {}, after {accepted} spans",
                title(old),
                title(new),
                old.generation,
                new.generation
            ));
        }
        _ => {}
    }
    let error = |view: &View| view.plugin.as_ref().and_then(|plugin| plugin.error.clone());
    match (error(before), error(now), &now.plugin) {
        (before, Some(error), Some(plugin)) if before.as_ref() != Some(&error) => {
            events.push(format!("not loaded, {} goes on: {error}", title(plugin)));
        }
        _ => {}
    }
    events
}

fn title(plugin: &PluginView) -> String {
    format!("{} {} ({})", plugin.name, plugin.version, plugin.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pairs: &[(&str, &str)]) -> Shown {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn differences_name_every_fate() {
        let before = shown(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let after = shown(&[("d", "4"), ("c", "5"), ("a", "1")]);
        let expected = [
            ("b".to_owned(), Fate::Gone),
            ("c".to_owned(), Fate::Changed("5".to_owned())),
            ("d".to_owned(), Fate::Added("4".to_owned())),
        ];
        assert_eq!(differences(&before, &after), expected);
        assert_eq!(differences(&before, &before), []);
    }

    #[test]
    fn a_reload_and_a_broken_file_are_events_once() {
        let plugin = |generation, hash: &str, error: Option<&str>| View {
            accepted: 12_345,
            plugin: Some(PluginView {
                name: "redact".to_owned(),
                version: "0.1.0".to_owned(),
                generation,
                hash: hash.to_owned(),
                ns_per_span: None,
                error: error.map(str::to_owned),
            }),
            ..View::default()
        };
        let (first, second, broken) = (plugin(1, "aa", None), plugin(2, "bb", None), plugin(2, "bb", Some("no Wasm")));
        assert_eq!(events(&View::default(), &first), [""; 0]);
        assert_eq!(events(&first, &first), [""; 0]);
        assert_eq!(
            events(&first, &second),
            ["hot reload: redact 0.1.0 (aa) -> redact 0.1.0 (bb), generation 1 -> 2, after 12,345 spans"]
        );
        assert_eq!(events(&second, &broken), ["not loaded, redact 0.1.0 (bb) goes on: no Wasm"]);
        assert_eq!(events(&broken, &broken), [""; 0]);
    }
}
