//! Golden cases: `cases/*.yaml` and, beside each, what is said about it.
//!
//! Lines at the top of a case set the scene: `# variable NAME=value`, `# file PATH=one line` (`\n` is a new line) and
//! `# set a.b=c`. A new case is a new file; `UPDATE_CASES=1` writes the expectations, for review.

use super::*;
use std::path::Path;

#[test]
fn cases() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/cases");
    let mut names: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    names.sort();
    assert!(names.len() > 5, "only {} cases in {}", names.len(), directory.display());
    let mut wrong = Vec::new();
    for path in names {
        let found = outcome(&path);
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&expected, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{}:\nfound\n{found}\nexpected\n{expected}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn outcome(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let mut world = Fake::default();
    let mut sets = Vec::new();
    for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
        match line.split_once(' ') {
            Some(("variable", rest)) => {
                let (name, value) = rest.split_once('=').unwrap();
                world = world.variable(name, &value.replace("\\n", "\n"));
            }
            Some(("file", rest)) => {
                let (name, value) = rest.split_once('=').unwrap();
                world = world.file(name, &value.replace("\\n", "\n"));
            }
            Some(("set", rest)) => sets.push(rest.to_owned()),
            _ => {}
        }
    }
    let world = world.file(name, &text);
    match load_from(&world, &texts(&[name]), &sets, &[], &factories::FACTORIES) {
        Ok(config) if config.warnings.is_empty() => "ok\n".to_owned(),
        Ok(config) => format!("{}\nok\n", config.warnings),
        Err(problems) => {
            assert!(problems.has_errors(), "refused without an error: {problems}");
            format!("{problems}\n")
        }
    }
}
