//! Reading cases.

use super::otlp;
use crate::pdata::Batch;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file with what must come out.
pub(in crate::cli::plugin) const EXPECTED: &str = "expected.json";

/// A case.
#[derive(Clone, Debug)]
pub(in crate::cli::plugin) struct Case {
    /// The name of its folder.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// What the plugin is configured with: a JSON text.
    pub config: String,
    /// What goes in.
    pub input: Vec<Batch>,
    /// What must come out; `None` if there is no such file yet.
    pub expected: Option<Expected>,
}

/// What must come out.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::plugin) enum Expected {
    /// These requests, in normal form.
    Output(Value),
    /// These differences to the input.
    Changes(Vec<String>),
    /// These decisions, by trace id.
    Decisions(BTreeMap<String, String>),
    /// A refusal with these words in it.
    Error(String),
}

/// The cases in a folder, by name; only the one called `only` if there is such a wish.
///
/// # Errors
/// The file that is wrong, and what is wrong with it.
pub(in crate::cli::plugin) fn load(folder: &Path, only: Option<&str>) -> Result<Vec<Case>, String> {
    let shown = folder.display();
    let entries = std::fs::read_dir(folder).map_err(|error| {
        format!("{shown}: {error} (a case is a folder in it, with config.json, input.json and expected.json)")
    })?;
    let mut dirs: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    dirs.sort();
    let name = |dir: &Path| dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let hidden = |dir: &Path| name(dir).starts_with('.');
    dirs.retain(|dir| !hidden(dir) && only.is_none_or(|only| name(dir) == only));
    match (dirs.is_empty(), only) {
        (true, Some(only)) => return Err(format!("{shown}: there is no case {only:?}")),
        (true, None) => return Err(format!("{shown}: there is no case in it")),
        _ => {}
    }
    dirs.into_iter().map(|dir| case(name(&dir), dir)).collect()
}

fn case(name: String, dir: PathBuf) -> Result<Case, String> {
    let config = read(&dir.join("config.json"))?.unwrap_or_else(|| Value::Object(serde_json::Map::new())).to_string();
    let file = dir.join("input.json");
    let input = read(&file)?.ok_or_else(|| format!("{}: it is missing", file.display()))?;
    let input = otlp::batches(&input).map_err(|error| format!("{}: {error}", file.display()))?;
    let file = dir.join(EXPECTED);
    let expected = read(&file)?.map(|value| expected(&value)).transpose();
    let expected = expected.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Case { name, dir, config, input, expected })
}

/// A JSON file; `None` if it is not there.
fn read(file: &Path) -> Result<Option<Value>, String> {
    let shown = file.display();
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| format!("{shown}: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

fn expected(value: &Value) -> Result<Expected, String> {
    let typed = |error: serde_json::Error| error.to_string();
    if let Some(changes) = value.get("changes") {
        return serde_json::from_value(changes.clone()).map(Expected::Changes).map_err(typed);
    }
    if let Some(decisions) = value.get("decisions") {
        let decisions: BTreeMap<String, String> = serde_json::from_value(decisions.clone()).map_err(typed)?;
        let known = ["sample", "not-sampled", "drop", "undecided"];
        if let Some(other) = decisions.values().find(|decision| !known.contains(&decision.as_str())) {
            return Err(format!("{other:?} is no decision: {} are", known.join(", ")));
        }
        let lower = decisions.into_iter().map(|(id, decision)| (id.to_ascii_lowercase(), decision));
        return Ok(Expected::Decisions(lower.collect()));
    }
    if let Some(error) = value.get("error") {
        return serde_json::from_value(error.clone()).map(Expected::Error).map_err(typed);
    }
    otlp::normal(value).map(Expected::Output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn expectations_come_in_four_forms() {
        let form = |value: Value| expected(&value).unwrap();
        assert_eq!(form(json!({"traces": {}})), Expected::Output(json!({"traces": {}})));
        assert_eq!(form(json!({"changes": ["a"]})), Expected::Changes(vec!["a".to_owned()]));
        assert_eq!(form(json!({"error": "no"})), Expected::Error("no".to_owned()));
        let decisions = form(json!({"decisions": {"AB": "drop"}}));
        assert_eq!(decisions, Expected::Decisions([("ab".to_owned(), "drop".to_owned())].into()));
        assert!(expected(&json!({"decisions": {"ab": "keep"}})).unwrap_err().contains("not-sampled"));
        assert!(expected(&json!({"decision": {}})).is_err());
    }

    /// Each fault names its file.
    #[test]
    fn faults_name_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let fault = || load(folder.path(), None).unwrap_err();
        assert!(fault().contains("no case"));
        let case = folder.path().join("one");
        std::fs::create_dir(&case).unwrap();
        assert!(fault().contains("input.json: it is missing"));
        std::fs::write(case.join("input.json"), "{").unwrap();
        assert!(fault().contains("input.json: "));
        std::fs::write(case.join("input.json"), r#"{"traces": {}}"#).unwrap();
        std::fs::write(case.join("expected.json"), r#"{"traces": 3}"#).unwrap();
        assert!(fault().contains("expected.json: "));
        assert!(load(folder.path(), Some("two")).unwrap_err().contains("\"two\""));
        std::fs::remove_file(case.join("expected.json")).unwrap();
        assert_eq!(load(folder.path(), Some("one")).unwrap()[0].config, "{}");
    }
}
