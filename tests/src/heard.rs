//! A program in a process of its own that is heard line by line.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A running program and what it said; it is killed when this is dropped.
pub struct Heard {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    patience: Duration,
}

impl Heard {
    /// Starts a program and hears its standard error. Nothing that is waited for may take longer than `patience`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn stderr(command: &mut Command, patience: Duration) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it runs");
        let pipe = child.stderr.take().expect("a pipe");
        Self::listen(child, pipe, patience)
    }

    /// The same with its standard output.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn stdout(command: &mut Command, patience: Duration) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let pipe = child.stdout.take().expect("a pipe");
        Self::listen(child, pipe, patience)
    }

    fn listen(child: Child, pipe: impl Read + Send + 'static, patience: Duration) -> Self {
        let (tell, lines) = channel();
        // To the end, whether anybody listens or not: a full pipe would stop the program.
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        Self { child, lines, said: Vec::new(), patience }
    }

    /// Waits for the next line with these words; everything up to it.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn wait_for(&mut self, words: &str) -> &[String] {
        let (end, start) = (Instant::now() + self.patience, self.said.len());
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = line.contains(words);
                    self.said.push(line);
                    if found {
                        return &self.said[start..];
                    }
                }
                Err(error) => panic!("{error}: no line with {words:?} in\n{}", self.said.join("\n")),
            }
        }
    }

    /// Everything that was heard so far.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, as in `TERM`.
    ///
    /// # Panics
    /// If it is not there any more.
    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        assert!(kill.args([format!("-{name}"), self.id().to_string()]).status().expect("kill").success());
    }

    /// Hears it to its end.
    ///
    /// # Panics
    /// If that does not come in time.
    pub fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + self.patience;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().expect("it ended"),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.said.join("\n")),
            }
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
