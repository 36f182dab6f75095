//! What a language must be able to do: build a project into a component.
//!
//! **To add a language**: a file here with a [`Language`], one line in [`ALL`], templates under `host/templates/<name>/`, and
//! what `vendored` in `embedded.rs` copies into a new project.

mod c;
mod go;
mod interpreted;
mod js;
mod python;
mod rust;
mod scratch;

use super::project::Project;
use crate::plugin::Template;

/// Why a project cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::plugin) enum Failure {
    /// A tool is missing: what, and the command that installs it.
    Missing {
        /// As in "the Rust target wasm32-wasip2".
        what: String,
        /// A command to paste.
        install: String,
    },
    /// The compiler said no: its output.
    Compile(String),
}

/// What who builds a project again and again keeps from one time to the next, so that it goes quicker.
#[derive(Default)]
pub(in crate::cli::plugin) struct Kept(Option<KeptTemplate>);

/// A component without the author's part.
struct KeptTemplate {
    /// What it was made of.
    key: String,
    /// `None` if it cannot be made of that.
    template: Option<Template>,
}

/// A language in which plugins are written.
pub(in crate::cli::plugin) trait Language: Sync {
    /// As in `--lang`.
    fn name(&self) -> &'static str;

    /// What `dev` watches besides `cases/`: files with these endings, anywhere but in hidden and build folders.
    fn sources(&self) -> &'static [&'static str];

    /// Builds a component and returns its bytes. Blocks. Prints nothing; progress goes to `note`.
    ///
    /// # Errors
    /// What is missing, or what the compiler said.
    fn build(&self, project: &Project, note: &dyn Fn(&str)) -> Result<Vec<u8>, Failure>;

    /// The same for who builds again at every save.
    ///
    /// # Errors
    /// As [`Language::build`].
    fn build_again(&self, project: &Project, note: &dyn Fn(&str), _kept: &mut Kept) -> Result<Vec<u8>, Failure> {
        self.build(project, note)
    }

    /// Said once, when a project of this language is made.
    fn warning(&self) -> Option<&'static str> {
        None
    }

    /// The command that gets what a new project in the folder `name` needs besides the toolchain, if that is anything.
    fn setup(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Every language, in the order of `--help`.
pub(in crate::cli::plugin) const ALL: &[&dyn Language] = &[
    &rust::Rust,
    &go::Go,
    &js::Js,
    &python::Python,
    &c::C,
    //
];

/// The language with this name.
pub(in crate::cli::plugin) fn by_name(name: &str) -> Option<&'static dyn Language> {
    ALL.iter().copied().find(|language| language.name() == name)
}

/// The names of all languages.
pub(in crate::cli::plugin) fn names() -> Vec<&'static str> {
    ALL.iter().map(|language| language.name()).collect()
}

#[cfg(test)]
mod tests;
