//! Entries of a W3C `tracestate` header, as strictly as the Collector reads it: one wrong entry, and there are none.

/// Entries of a header at most.
const ENTRIES_MAX: usize = 32;

/// The value of the entry with this key, "" if there is none (no entry is empty); `None` if the header is not in order.
#[must_use]
pub fn entry<'a>(state: &'a str, key: &str) -> Option<&'a str> {
    let mut found = "";
    for (number, member) in members(state).enumerate() {
        let (own, value) = member?;
        let repeated = members(state).take(number).flatten().any(|(earlier, _)| earlier == own);
        if repeated || number == ENTRIES_MAX {
            return None;
        }
        if own == key {
            found = value;
        }
    }
    Some(found)
}

/// The entries; `None` for one that breaks the rules.
fn members(state: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    state.split(',').filter(|member| !member.is_empty()).map(|member| {
        let (key, value) = member.split_once('=')?;
        let (key, value) = (key.trim_start_matches([' ', '\t']), value.trim_end_matches([' ', '\t']));
        (is_key(key) && is_value(value)).then_some((key, value))
    })
}

fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_key_part(key, 256),
        Some((tenant, system)) => {
            let starts_well = tenant.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
            starts_well && tenant.len() <= 241 && are_key_chars(tenant) && is_key_part(system, 14)
        }
    }
}

fn is_key_part(key: &str, most: usize) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase()) && key.len() <= most && are_key_chars(key)
}

fn are_key_chars(key: &str) -> bool {
    key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
}

fn is_value(value: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    (1..=256).contains(&value.len()) && value.bytes().all(allowed) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::entry;
    use crate::prelude::*;

    #[test]
    fn one_wrong_entry_spoils_all() {
        for state in ["k=v", " k=v ", "a=1,k=v", "k=v,,a=1", "a@b=1,k=v,", "\tk=v\t,a=x y", "0a@b=1,k=v"] {
            assert_eq!(entry(state, "k"), Some("v"), "{state:?}");
        }
        assert_eq!((entry("", "k"), entry("a=1", "k"), entry(",", "k")), (Some(""), Some(""), Some("")));
        for state in
            ["k", "k=", "k=v,a", "k=v,A=1", "k=v,k=w", "k=v,a=1=2", "k =v", "k=v,1a=1", "k=v,a@=1", "k=v,ü=1", "k=v, "]
        {
            assert_eq!(entry(state, "k"), None, "{state:?}");
        }
        let many = |count: usize| (0..count).map(|i| format!("a{i}=1")).collect::<Vec<_>>().join(",");
        assert_eq!((entry(&many(32), "a5"), entry(&many(33), "a5")), (Some("1"), None));
        let long = |length: usize| format!("{}=v", "k".repeat(length));
        assert_eq!((entry(&long(256), &"k".repeat(256)), entry(&long(257), &"k".repeat(257))), (Some("v"), None));
    }
}
