//! The whole demo, in this process.

use super::*;
use std::sync::{Arc, Mutex};

/// What the demo printed.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn args(limit: Option<Duration>, plugins: Option<PathBuf>) -> DemoArgs {
    DemoArgs { limit, rate: 1_000, plugins }
}

/// Waits until the paper shows `text`.
async fn shows(paper: &Paper, text: &str) {
    let wait = async {
        while !paper.text().contains(text) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(60), wait).await.is_err() {
        panic!("{text:?} was never shown:\n{}", paper.text());
    }
}

/// A second plugin is copied over the first one as the demo suggests; the reload and its effect are shown, spans go on,
/// and at the end, which here somebody asks for, the ledger adds up.
#[tokio::test]
async fn swap_the_plugin_and_leave() {
    let paper = Paper::default();
    let terminal = Terminal::new(paper.clone(), false, screen::Style::Plain);
    let swap = async {
        shows(&paper, "-> (gone)").await;
        let text = paper.text();
        let copy = text.lines().find_map(|line| line.trim().strip_prefix("cp ")).unwrap();
        let (from, to) = copy.split_once(' ').unwrap();
        std::fs::copy(from, to).unwrap();
        shows(&paper, "hot reload: redact").await;
        shows(&paper, "***@example.").await;
    };
    let adds_up = demo(&args(None, None), terminal, swap).await.unwrap();
    let text = paper.text();
    assert!(adds_up, "{text}");
    assert!(text.contains("generation 1 -> 2"), "{text}");
    assert!(text.contains("no address reached the backend"), "{text}");
    assert!(text.contains("The ledger adds up"), "{text}");
}

/// `--for` ends it, everything that flows has been counted, and nothing is left in the temporary directory.
#[tokio::test]
async fn ends_by_itself() {
    let paper = Paper::default();
    let terminal = Terminal::new(paper.clone(), false, screen::Style::Plain);
    let limit = Duration::from_secs(3);
    assert!(demo(&args(Some(limit), None), terminal, std::future::pending()).await.unwrap(), "{}", paper.text());
    let text = paper.text();
    let number = |label: &str| {
        let line = text.lines().rfind(|line| line.trim_start_matches([' ', '=', '+']).starts_with(label)).unwrap();
        let number = line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap();
        number.replace(',', "").parse::<u64>().unwrap()
    };
    let (accepted, arrived, dropped) = (number("accepted"), number("arrived"), number("dropped"));
    assert!(accepted > 1_000, "{text}");
    assert_eq!((accepted, number("held")), (arrived + dropped, 0), "{text}");
    assert!((arrived as f64 / accepted as f64) < 0.5 && arrived > 0, "{text}");
    let watched = text.lines().find_map(|line| line.strip_suffix("/plugins (watched)")).unwrap();
    let temporary = watched.split_whitespace().last().unwrap();
    assert!(!std::path::Path::new(temporary).exists(), "{temporary} is left");
}
