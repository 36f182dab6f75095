//! The list of policy types, and the settings of one policy: its name, its type and a block under the type's name.

use super::{Fault, Layout, Policy, PolicyConfig};
use crate::yaml::{Node, Section};
use serde::Deserialize;

/// The settings of one policy and how they become it: a block per type, under the type's name.
macro_rules! settings {
    ($($kind:ident),+ $(,)?) => {
        /// An entry of `policies`.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct PolicySettings {
            /// Unique among the policies.
            pub name: String,
            /// Which kind; its settings stand under a key of the same name.
            #[serde(rename = "type")]
            pub kind: String,
            $($kind: Option<super::$kind::Config>,)+
        }

        /// The types that there are.
        const KINDS: &[&str] = &[$(stringify!($kind)),+];

        impl PolicySettings {
            /// The settings of the type; its defaults if nothing is written.
            pub fn settings(&self) -> Option<Box<dyn PolicyConfig>> {
                match self.kind.as_str() {
                    $(stringify!($kind) => Some(Box::new(self.$kind.clone().unwrap_or_default())),)+
                    _ => None,
                }
            }

            /// It was read from this place.
            pub fn place(&mut self, section: &Section<'_>) {
                $(if let (Some(settings), Some(node)) = (&mut self.$kind, section.node.get(stringify!($kind))) {
                    let path = concat!("::", stringify!($kind));
                    settings.place(&Section { path: &format!("{}{path}", section.path), node });
                })+
            }

            /// Blocks that are written down.
            fn blocks(&self) -> impl Iterator<Item = &'static str> {
                let written = [$((stringify!($kind), self.$kind.is_some()),)+];
                written.into_iter().filter(|(_, written)| *written).map(|(kind, _)| kind)
            }
        }
    };
}

policy_types!(settings);

impl PolicySettings {
    /// Makes the policy, if its type is one; its filters and plugins go to `layout`.
    pub fn build(&self, layout: &mut Layout) -> Option<Box<dyn Policy>> {
        let settings = self.settings()?;
        Some(layout.within(&self.name, |layout| settings.build(layout)))
    }

    /// Records what is wrong with it.
    pub fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.name.is_empty() {
            fault.at("name", "must be set");
        }
        self.check_type(fault);
    }

    fn check_type(&self, fault: &mut Fault<'_, '_>) {
        let kind = self.kind.as_str();
        let Some(settings) = self.settings() else {
            let known = KINDS.join(", ");
            let message = if kind.is_empty() {
                format!("must be set to one of {known}")
            } else {
                let near = crate::yaml::nearest(kind, KINDS.iter().copied());
                let hint = near.map(|near| format!(" (did you mean {near:?}?)")).unwrap_or_default();
                format!("unknown policy type {kind:?}{hint}; there are {known}")
            };
            return fault.at("type", message);
        };
        for block in self.blocks().filter(|block| *block != kind) {
            fault.at(block, format!("does not belong to a policy of type {kind:?}"));
        }
        settings.check(&mut fault.inside(kind));
    }

    /// Records what keeps it from voting on spans as they arrive.
    pub fn check_on_ingest(&self, fault: &mut Fault<'_, '_>) {
        if let Some(settings) = self.settings() {
            settings.check_on_ingest(&mut fault.inside(&self.kind));
        }
    }
}

/// Records what is wrong with a policy that is part of another: it needs no name.
pub fn check_part(part: &PolicySettings, fault: &mut Fault<'_, '_>) {
    match part.settings().and_then(|settings| settings.must_stand_alone()) {
        Some(why) => fault.at("type", why),
        None => part.check_type(fault),
    }
}

/// Records what is wrong with the policies under `key`.
pub fn check_parts(parts: &[PolicySettings], key: &str, fault: &mut Fault<'_, '_>) {
    if parts.is_empty() {
        // The Collector takes none for all: a `drop` without parts would drop everything.
        fault.at(key, "must have at least one policy");
    }
    for (i, part) in parts.iter().enumerate() {
        check_part(part, &mut fault.inside(&format!("{key}[{i}]")));
    }
}

/// Records what keeps the policies under `key` from voting on spans as they arrive.
pub fn check_parts_on_ingest(parts: &[PolicySettings], key: &str, fault: &mut Fault<'_, '_>) {
    for (i, part) in parts.iter().enumerate() {
        part.check_on_ingest(&mut fault.inside(&format!("{key}[{i}]")));
    }
}

/// The policies under `key` of this section were read from there.
pub fn place_parts(parts: &mut [PolicySettings], key: &str, section: &Section<'_>) {
    let written = section.node.get(key).map(Node::items).unwrap_or_default();
    for (i, (part, node)) in parts.iter_mut().zip(written).enumerate() {
        part.place(&Section { path: &format!("{}::{key}[{i}]", section.path), node });
    }
}

/// Makes policies that are parts of another.
pub fn build_parts<'s>(
    parts: impl IntoIterator<Item = &'s PolicySettings>,
    layout: &mut Layout,
) -> Vec<Box<dyn Policy>> {
    parts.into_iter().filter_map(|part| part.build(layout)).collect()
}
