//! Running compilers: their output is kept, and their progress heard while they run.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// What a tool left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::plugin) struct Ran {
    /// Whether it was content.
    pub ok: bool,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// Runs a tool to its end; `said` hears each line of its standard error as it comes.
///
/// # Errors
/// If it cannot be started; what it says itself is no error here.
pub(in crate::cli::plugin) fn run(mut command: Command, said: &dyn Fn(&str)) -> Result<Ran, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |error: std::io::Error| format!("{program}: {error}");
    let mut running = Running(command.spawn().map_err(failed)?);
    let stdout = running.0.stdout.take();
    let stderr = running.0.stderr.take();
    let (stdout, stderr) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut text = Vec::new();
            let read = stdout.map(|mut stdout| stdout.read_to_end(&mut text));
            let _ = read;
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut text = String::new();
        if let Some(stderr) = stderr {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                said(&line);
                text.push_str(&line);
                text.push('\n');
            }
        }
        (reader.join().unwrap_or_default(), text)
    });
    let status = running.0.wait().map_err(failed)?;
    Ok(Ran { ok: status.success(), stdout, stderr })
}

/// A process that does not outlive us, whatever goes wrong on the way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless something failed; then there is nobody left to tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The standard output of a short command, if it exists and is content.
pub(in crate::cli::plugin) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn both_streams_are_kept_and_one_is_heard() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo one >&2; echo two >&2; exit 3"]);
        let heard = RefCell::new(Vec::new());
        let ran = run(command, &|line| heard.borrow_mut().push(line.to_owned())).unwrap();
        assert_eq!(ran, Ran { ok: false, stdout: "out\n".to_owned(), stderr: "one\ntwo\n".to_owned() });
        assert_eq!(*heard.borrow(), ["one", "two"]);
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!(run(Command::new("no-such-tool-here"), &|_| ()).unwrap_err().starts_with("no-such-tool-here: "));
        assert_eq!(output(&mut Command::new("no-such-tool-here")), None);
    }
}
