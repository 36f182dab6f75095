//! Masks mail addresses and keeps their domain: `ada@example.com` becomes `a***@example.com`.
//!
//! ```yaml
//! processors:
//!   wasm/mask-email:
//!     module: mask-email
//!     config: {keys: [user.email]}
//! ```

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
        Ok(config)
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
    use super::mask;

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
}
