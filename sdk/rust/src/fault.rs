//! What serde has against a configuration, in words for an operator: behind the path of the key, as in `keys[1]: invalid
//! type`, which is where the host points to. A place in the JSON says nothing: nobody wrote that.

/// What is wrong with `config`, of which serde says so.
pub(crate) fn of_config(config: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    let Some(message) = said.strip_suffix(&format!(" at line {line} column {column}")) else { return said };
    if !error.is_data() {
        return said;
    }
    let before: usize = config.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let read = config.as_bytes().get(..before + column).unwrap_or(config.as_bytes());
    match path(read) {
        path if path.is_empty() => message.to_owned(),
        path => format!("{path}: {message}"),
    }
}

/// What is open where the text ends.
enum Open {
    /// An object, at this key.
    Object(Option<String>),
    /// A list, at this item.
    List(usize),
}

/// The path of the value or key with which `read` ends, the beginning of a JSON text.
fn path(read: &[u8]) -> String {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(byte) = read.get(at) {
        match (byte, open.last_mut()) {
            (b'{', _) => open.push(Open::Object(None)),
            (b'[', _) => open.push(Open::List(0)),
            (b'}' | b']', _) => drop(open.pop()),
            (b',', Some(Open::Object(key))) => *key = None,
            (b',', Some(Open::List(item))) => *item += 1,
            (b'"', inside) => {
                let text = string(read.get(at..).unwrap_or_default());
                at += text.len();
                if let Some(Open::Object(key @ None)) = inside {
                    *key = std::str::from_utf8(text).ok().and_then(|text| serde_json::from_str(text).ok());
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for open in open {
        match open {
            Open::Object(Some(key)) if path.is_empty() => path = key,
            Open::Object(Some(key)) => path = format!("{path}.{key}"),
            Open::Object(None) => {}
            Open::List(item) => path = format!("{path}[{item}]"),
        }
    }
    path
}

/// The string, quotes included, with which this begins.
fn string(text: &[u8]) -> &[u8] {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    end.and_then(|end| text.get(..end + 2)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        #[serde(rename = "keys")]
        _keys: Vec<String>,
        #[serde(rename = "max")]
        _max: u8,
        #[serde(rename = "rules")]
        _rules: Vec<Rule>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        #[serde(rename = "to")]
        _to: String,
    }

    fn fault(config: &str) -> String {
        of_config(config, &serde_json::from_str::<Config>(config).unwrap_err())
    }

    /// Each fault stands behind the path of its key.
    #[test]
    fn faults_name_their_key() {
        for (config, expected) in [
            (r#"{"keys":"a"}"#, r#"keys: invalid type: string "a", expected a sequence"#),
            (r#"{"keys":{"a":1}}"#, "keys: invalid type: map, expected a sequence"),
            (r#"{"keys":["a, \"]}",5]}"#, "keys[1]: invalid type: integer `5`, expected a string"),
            (r#"{"max":300,"keys":[]}"#, "max: invalid value: integer `300`, expected u8"),
            (r#"{"max":1.5}"#, "max: invalid type: floating point `1.5`, expected u8"),
            (r#"{"max":null}"#, "max: invalid type: null, expected u8"),
            (r#"{"max":1,"max":2}"#, "max: duplicate field `max`"),
            (r#"{"keys":["a"],"kes":[]}"#, "kes: unknown field `kes`, expected one of `keys`, `max`, `rules`"),
            (r#"{"k\"\u00e9":1}"#, "k\"é: unknown field `k\"é`, expected one of `keys`, `max`, `rules`"),
            (r#"{"rules":[{"to":"a"},{}]}"#, "rules[1]: missing field `to`"),
            (r#"{"rules":[{"to":"a","too":1}]}"#, "rules[0].too: unknown field `too`, expected `to`"),
            (r#"{"rules":[{"to":[]}]}"#, "rules[0].to: invalid type: sequence, expected a string"),
            ("{\n  \"keys\": [\"é\",\n    7]\n}", "keys[1]: invalid type: integer `7`, expected a string"),
            ("5", "invalid type: integer `5`, expected struct Config"),
        ] {
            assert_eq!(fault(config), expected, "{config}");
        }
    }

    /// A text that is no JSON comes only from a test of the plugin's: its author sees where.
    #[test]
    fn what_is_no_json_has_a_place() {
        assert_eq!(fault(r#"{"keys":"#), "EOF while parsing a value at line 1 column 8");
    }
}
