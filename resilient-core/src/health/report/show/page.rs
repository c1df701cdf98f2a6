//! Lines, marks and numbers of a page.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSplitter, core::display_width};

/// How wide a page is, in columns.
const WIDTH: usize = 100;

/// Where the text of a field begins.
const LABEL: usize = 18;

/// What to think of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Warn,
    Bad,
    None,
}

impl Mark {
    fn sign(self) -> char {
        match self {
            Self::Good => '✓',
            Self::Warn => '!',
            Self::Bad => '✗',
            Self::None => ' ',
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default().bold(),
            Self::Warn => AnsiColor::Yellow.on_default().bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::None => Style::new(),
        }
    }
}

/// Where a report is written.
pub(super) struct Page<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    color: bool,
}

impl<'a, 'b> Page<'a, 'b> {
    pub(super) fn new(to: &'a mut fmt::Formatter<'b>, color: bool) -> Self {
        Self { to, color }
    }

    fn styled(&mut self, style: Style, text: &str) -> fmt::Result {
        if self.color {
            write!(self.to, "{style}{text}{style:#}")
        } else {
            self.to.write_str(text)
        }
    }

    /// The first line: what it is about, and something at the right edge if there is room.
    pub(super) fn title(&mut self, mark: Mark, text: &str, right: &str) -> fmt::Result {
        let text = printable(text);
        let lines = wrap(&text, WIDTH - 2);
        for (number, line) in lines.iter().enumerate() {
            let sign = if number == 0 { mark.sign() } else { ' ' };
            self.styled(mark.style(), &format!("{sign} {line}"))?;
            let used = 2 + display_width(line) + display_width(right);
            if number == 0 && used < WIDTH {
                write!(self.to, "{:1$}{right}", "", WIDTH - used)?;
            }
            self.to.write_char('\n')?;
        }
        Ok(())
    }

    /// The beginning of a section.
    pub(super) fn heading(&mut self, text: &str) -> fmt::Result {
        self.to.write_char('\n')?;
        self.styled(Style::new().bold(), text)?;
        self.to.write_char('\n')
    }

    /// A line that says something good or bad.
    pub(super) fn line(&mut self, mark: Mark, text: &str) -> fmt::Result {
        let text = printable(text);
        for (number, line) in wrap(&text, WIDTH - 4).iter().enumerate() {
            self.to.write_str("  ")?;
            let sign = if number == 0 { mark.sign() } else { ' ' };
            self.styled(mark.style(), sign.encode_utf8(&mut [0; 4]))?;
            writeln!(self.to, " {line}")?;
        }
        Ok(())
    }

    /// A statement, to be copied.
    pub(super) fn statement(&mut self, sql: &str) -> fmt::Result {
        for line in wrap(&printable(sql), WIDTH - 7) {
            writeln!(self.to, "       {line}")?;
        }
        Ok(())
    }

    /// A line with a name. One that is too long for its column stands alone.
    pub(super) fn field(&mut self, name: &str, text: &str) -> fmt::Result {
        let (name, text) = (printable(name), printable(text));
        let mut width = display_width(&name);
        write!(self.to, "    ")?;
        if width > LABEL - 2 {
            for (number, line) in wrap(&name, WIDTH - 4).iter().enumerate() {
                let indent = if number == 0 { "" } else { "    " };
                writeln!(self.to, "{indent}{line}")?;
            }
            write!(self.to, "    ")?;
            width = 0;
        } else {
            self.to.write_str(&name)?;
        }
        let lines = wrap(&text, WIDTH - 4 - LABEL);
        for (number, line) in lines.iter().enumerate() {
            let indent = if number == 0 {
                LABEL - width
            } else {
                LABEL + 4
            };
            writeln!(self.to, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    /// A bar of what is used, by its share from 0 to 1, and words behind it.
    pub(super) fn gauge(&mut self, mark: Mark, share: f64, text: &str) -> fmt::Result {
        const CELLS: usize = 40;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let full = (share.clamp(0.0, 1.0) * CELLS as f64).round() as usize;
        let (full, rest) = ("█".repeat(full), "░".repeat(CELLS - full));
        self.to.write_str("  ")?;
        self.styled(mark.style(), mark.sign().encode_utf8(&mut [0; 4]))?;
        self.to.write_char(' ')?;
        self.styled(mark.style(), &full)?;
        writeln!(self.to, "{rest} {text}")
    }
}

/// Lines of at most so many columns. Names are not broken at their hyphens.
fn wrap(text: &str, width: usize) -> Vec<Cow<'_, str>> {
    textwrap::wrap(
        text,
        Options::new(width).word_splitter(WordSplitter::NoHyphenation),
    )
}

/// The text without what does not print, or turns the direction of writing.
fn printable(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if odd(c) => '?',
            c => c,
        })
        .collect()
}

/// `1,204`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 time` and `1,204 times`.
pub(super) fn counted(n: u64, one: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(n))
}

/// A time given in milliseconds: `0.42 ms`, `12 ms`, `1.2 s`, `3 min`.
pub(super) fn millis(ms: f64) -> String {
    match ms {
        ms if ms >= 120_000.0 => format!("{:.0} min", ms / 60_000.0),
        ms if ms >= 1000.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

/// `2.5 %`.
pub(super) fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_204), "1,204");
        assert_eq!(count(1_000_000), "1,000,000");
        let times = [0.423, 12.4, 1240.0, 180_000.0].map(millis);
        assert_eq!(times, ["0.42 ms", "12 ms", "1.2 s", "3 min"]);
        assert_eq!(printable("a\u{1b}[31m\nb\u{202e}"), "a?[31m b?");
    }
}
