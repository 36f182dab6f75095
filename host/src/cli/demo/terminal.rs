//! Where the demo writes: a terminal whose last lines are redrawn, or a plain stream of lines.
//!
//! Only cursor-up, erase and the switch for line wrapping are used: a redrawn line that is too long is cut at the edge of
//! the window, so that the number of lines to go up is always right. Lasting lines are printed above and may wrap.

use super::screen::Style;
use std::io::{self, IsTerminal, Write};

/// The standard output of the demo.
pub(super) struct Terminal<W> {
    out: W,
    /// Whether the block is redrawn.
    redraws: bool,
    style: Style,
    /// Lines of the block that stands there now.
    height: usize,
}

impl Terminal<io::Stdout> {
    /// This process's standard output. `NO_COLOR` turns colour off, `TERM=dumb` redrawing as well.
    pub(super) fn stdout() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let redraws = io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let style = if redraws && !set("NO_COLOR") { Style::Colour } else { Style::Plain };
        Self::new(io::stdout(), redraws, style)
    }
}

impl<W: Write> Terminal<W> {
    pub(super) fn new(out: W, redraws: bool, style: Style) -> Self {
        Self { out, redraws, style, height: 0 }
    }

    /// Whether [`Self::redraw`] does anything.
    pub(super) fn redraws(&self) -> bool {
        self.redraws
    }

    /// How to paint.
    pub(super) fn style(&self) -> Style {
        self.style
    }

    /// Prints lines that stay, above the block, which has to be drawn again.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) fn print(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = self.erase();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.write(&text)
    }

    /// Draws the block anew; on a stream that is no terminal there is none.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) fn redraw(&mut self, lines: &[String]) -> io::Result<()> {
        if !self.redraws {
            return Ok(());
        }
        let mut text = self.erase();
        text.push_str("\x1b[?7l");
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str("\x1b[?7h");
        self.height = lines.len();
        self.write(&text)
    }

    /// What takes the block away.
    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.height) {
            0 => String::new(),
            height => format!("\x1b[{height}A\r\x1b[J"),
        }
    }

    /// In one piece, so that a refresh does not flicker.
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_block_is_redrawn_in_place_and_lasting_lines_go_above() {
        let mut terminal = Terminal::new(Vec::new(), true, Style::Plain);
        terminal.redraw(&lines(&["a", "b"])).unwrap();
        terminal.redraw(&lines(&["c", "d"])).unwrap();
        terminal.print(&lines(&["event"])).unwrap();
        terminal.redraw(&lines(&["e"])).unwrap();
        let expected =
            "\x1b[?7la\nb\n\x1b[?7h\x1b[2A\r\x1b[J\x1b[?7lc\nd\n\x1b[?7h\x1b[2A\r\x1b[Jevent\n\x1b[?7le\n\x1b[?7h";
        assert_eq!(String::from_utf8(terminal.out).unwrap(), expected);
    }

    #[test]
    fn a_stream_gets_no_escape_sequence() {
        let mut terminal = Terminal::new(Vec::new(), false, Style::Plain);
        terminal.redraw(&lines(&["a", "b"])).unwrap();
        terminal.print(&lines(&["event"])).unwrap();
        assert_eq!(String::from_utf8(terminal.out).unwrap(), "event\n");
    }
}
