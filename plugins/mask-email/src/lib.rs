//! Masks mail addresses and keeps their domain: `ada@example.com` becomes `a***@example.com`. See `README.md`.

use tailrace_sdk::{Attribute, Attributes, Edit, Interest, Plugin, Value};

/// The configuration.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskEmail {
    /// Attributes that hold addresses, at any level.
    keys: Vec<String>,
}

impl Plugin for MaskEmail {
    type Config = Self;

    fn new(config: Self) -> Result<Self, String> {
        if config.keys.is_empty() { Err("keys: name at least one attribute".to_owned()) } else { Ok(config) }
    }

    fn interest(&self) -> Interest {
        Interest::in_attributes(&self.keys)
    }
}

impl Attributes for MaskEmail {
    fn attribute(&mut self, attribute: &Attribute<'_>) -> Edit {
        match attribute.value {
            Value::String(text) => Edit::set(mask(text)),
            // What is no text is no address; nobody knows what it gives away.
            _ => Edit::Remove,
        }
    }
}

/// The first character and the domain; of what is no address nothing stays.
fn mask(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((name, domain)) => {
            let first = name.chars().next().map(String::from).unwrap_or_default();
            format!("{first}***@{domain}")
        }
        None => "***".to_owned(),
    }
}

tailrace_sdk::export!(MaskEmail: attributes);

#[cfg(test)]
mod tests {
    use super::*;
    use tailrace_sdk::otlp::{NONE, RequestWriter, SpanView, Value, validate, view::put_attribute};
    use tailrace_sdk::{Signal, testing};

    #[test]
    fn keeps_the_domain_and_one_character() {
        for (text, masked) in [
            ("ada@example.com", "a***@example.com"),
            ("\"a@b\"@example.com", "\"***@example.com"),
            ("écrivain@example.com", "é***@example.com"),
            ("@example.com", "***@example.com"),
            ("no address", "***"),
            ("", "***"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    /// Of a span, the named attribute is masked, or removed if it is no text, and the others stay.
    #[test]
    fn changes_what_is_named() {
        let mut span = Vec::new();
        put_attribute(&mut span, 9, "user.email".into(), &"ada@example.com".into());
        put_attribute(&mut span, 9, "user.id".into(), &"u-1".into());
        put_attribute(&mut span, 9, "other.email".into(), &Value::Int(7));
        let mut writer = RequestWriter::new(Signal::Traces);
        writer.item(&span, NONE);
        let (request, _) = writer.finish().unwrap();

        let config = r#"{"keys": ["user.email", "other.email"]}"#;
        let output = testing::attributes::<MaskEmail>(config).unwrap().run(Signal::Traces, &request).unwrap();
        let index = validate(Signal::Traces, &output, &Default::default()).unwrap();
        let span = SpanView::new(index.item(&output, 0).unwrap());
        let left: Vec<_> = span.attributes().map(|found| (found.key.to_str(), found.value.as_str().unwrap())).collect();
        assert_eq!(left, [("user.email", "a***@example.com"), ("user.id", "u-1")]);
    }

    #[test]
    fn faults_of_the_configuration_are_named() {
        let refused = |config| testing::attributes::<MaskEmail>(config).map(drop).unwrap_err();
        assert!(refused(r#"{"keys": []}"#).contains("keys"));
        assert!(refused(r#"{"keys": ["a"], "action": "mask"}"#).contains("action"));
    }
}
