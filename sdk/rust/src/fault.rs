//! What serde has against a configuration, in words for an operator: behind the path of the key, as in `keys[1]: invalid
//! type`, which is where the host points to. A place in the JSON says nothing: nobody wrote that.

use serde::de::DeserializeOwned;

/// Reads a configuration.
pub(crate) fn read<T: DeserializeOwned>(config: &str) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(config);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        let said = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        match said.strip_suffix(&place).filter(|_| error.is_data()) {
            Some(message) => config_fault(&path, message),
            None => said,
        }
    })?;
    json.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// What an operator reads of a fault: `message` behind `path`, which is as `serde_path_to_error` has it. That is how the host
/// finds the place in the operator's file. [`Plugin::new`](crate::Plugin::new) gets a configuration that was read so; this is for settings
/// that a plugin reads in another way.
#[must_use]
pub fn config_fault(path: &str, message: &str) -> String {
    let path = if path == "." { "" } else { path };
    // The path of a key that should not be there may be that of the map around it.
    let key = ["unknown field `", "duplicate field `"].iter().find_map(|words| message.strip_prefix(words));
    match key.and_then(|rest| rest.split_once('`')) {
        Some((key, _)) if path.is_empty() && !key.is_empty() => format!("{key}: {message}"),
        Some((key, _)) if path != key && !path.ends_with(&format!(".{key}")) => format!("{path}.{key}: {message}"),
        _ if path.is_empty() => message.to_owned(),
        _ => format!("{path}: {message}"),
    }
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
        read::<Config>(config).unwrap_err()
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
