//! `tailrace plugin new`: a small project that builds, with a test and a case. Offline: everything comes from the binary.

use super::embedded::{self, File};
use super::languages::{self, Language};
use super::paint::Paint;
use super::project::{self, Kind, MANIFEST, Project, VENDORED};
use super::{Fault, fault};
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::path::Path;

/// Flags of `new`.
#[derive(Args, Debug)]
pub(super) struct NewArgs {
    /// Its name, which is also that of its folder: lower-case words with hyphens, as in mask-email
    name: String,
    /// The language to write it in
    #[arg(long, value_name = "LANG", value_parser = PossibleValuesParser::new(languages::names()))]
    lang: String,
    /// What it does
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
}

/// Writes the project and says what comes next.
pub(super) fn run(args: &NewArgs) -> Result<(), Fault> {
    let name = args.name.as_str();
    project::check_name(name).map_err(|why| fault(format!("{name:?} cannot be the name of a plugin: it {why}")))?;
    let language = languages::by_name(&args.lang).ok_or_else(|| fault("unknown language"))?;
    if !embedded::has_template(&args.lang, args.kind.as_str()) {
        return Err(fault(format!("there is no template for {} plugins in {}", args.kind.as_str(), args.lang)));
    }
    let dir = std::env::current_dir().map_err(fault)?.join(name);
    let project = Project { dir: dir.clone(), name: name.to_owned(), kind: args.kind };
    let files = files(&project, language);
    place(&dir, &files)?;
    for line in welcome(&project, language, &files, Paint::stdout()) {
        println!("{line}");
    }
    Ok(())
}

/// Everything in a new project.
fn files(project: &Project, language: &dyn Language) -> Vec<File> {
    let lang = language.name();
    let mut files = embedded::template(lang, project);
    if !files.iter().any(|(path, _)| path == MANIFEST) {
        let manifest = format!("name: {}\nlang: {lang}\nkind: {}\n", project.name, project.kind.as_str());
        files.push((MANIFEST.to_owned(), manifest.into_bytes()));
    }
    files.extend(embedded::vendored(lang));
    files
}

/// Writes beside and renames: there is a whole project or none.
fn place(dir: &Path, files: &[File]) -> Result<(), Fault> {
    let shown = dir.file_name().unwrap_or_default().to_string_lossy();
    let empty = |dir: &Path| std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    if dir.symlink_metadata().is_ok() && !empty(dir) {
        return Err(fault(format!(
            "{shown} is there already, and nothing is overwritten: take another name, or move it away"
        )));
    }
    let beside = dir.with_file_name(format!(".{shown}.{:08x}.new", fastrand::u32(..)));
    let placed = embedded::write(&beside, files).and_then(|()| std::fs::rename(&beside, dir));
    if placed.is_err() {
        // Half a project is of no use; what cannot be removed either is in the way of nothing.
        let _ = std::fs::remove_dir_all(&beside);
    }
    placed.map_err(|error| fault(format!("cannot write the project: {error}")))
}

fn welcome(project: &Project, language: &dyn Language, files: &[File], paint: Paint) -> Vec<String> {
    let name = &project.name;
    let mut lines =
        vec![paint.bold(&format!("{name}/ is a plugin of kind {} in {}", project.kind.as_str(), language.name()))];
    let mut shown: Vec<&str> =
        files.iter().map(|(path, _)| path.as_str()).filter(|path| !path.starts_with('.')).collect();
    shown.sort_unstable();
    lines.extend(shown.iter().map(|path| format!("  {path}")));
    lines.push(paint.dim(&format!("  {VENDORED}/ (the SDK, to be committed)")));
    if let Some(warning) = language.warning() {
        lines.push(format!("{} {warning}", paint.yellow("note:")));
    }
    if let Some(setup) = language.setup(name) {
        lines.push("First, once: get the package that makes components of it:".to_owned());
        lines.push(format!("  {}", paint.bold(&setup)));
    }
    lines.push("Next: build it, run its cases, and see what it does to spans each time you save:".to_owned());
    lines.push(format!("  {}", paint.bold(&format!("tailrace plugin dev {name}"))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that a new project needs is named, and the last one is `dev`.
    #[test]
    fn what_comes_next() {
        for (lang, commands) in [
            ("rust", &["tailrace plugin dev tidy"][..]),
            ("js", &["npm install --prefix tidy", "tailrace plugin dev tidy"]),
            ("python", &["tidy/.venv/bin/pip install -r tidy/requirements.txt", "tailrace plugin dev tidy"]),
        ] {
            let project = Project { dir: "/nowhere/tidy".into(), name: "tidy".to_owned(), kind: Kind::Attributes };
            let language = languages::by_name(lang).unwrap();
            let said = welcome(&project, language, &files(&project, language), Paint::plain());
            let mut places =
                commands.iter().map(|command| said.iter().position(|line| line.ends_with(command)).unwrap());
            assert!(places.clone().is_sorted() && places.next_back() == Some(said.len() - 1), "{said:#?}");
        }
    }

    /// There is a whole project or none, and what is there is never touched.
    #[test]
    fn nothing_is_overwritten() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("tidy");
        let files = [("a/b.txt".to_owned(), b"first".to_vec())];
        std::fs::create_dir(&dir).unwrap();
        place(&dir, &files).unwrap();
        let second = [("a/b.txt".to_owned(), b"second".to_vec())];
        assert!(place(&dir, &second).unwrap_err().to_string().contains("nothing is overwritten"));
        assert_eq!(std::fs::read(dir.join("a/b.txt")).unwrap(), b"first");
        let clash = [("x".to_owned(), Vec::new()), ("x/y".to_owned(), Vec::new())];
        assert!(place(&base.path().join("other"), &clash).is_err());
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 1, "no leftovers");
    }
}
