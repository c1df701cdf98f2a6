//! SQL in pieces, as far as that is certain.
//!
//! The danger is to mistake where a string ends: what follows would be taken for words. Where
//! engines or their settings disagree about that, the text is cut instead.

use super::Dialect;

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name without quotes.
    Word(&'a str),
    /// A name in its quotes.
    Name(&'a str),
    /// A name or, to SQLite, a string where no such column exists.
    Doubtful(&'a str),
    /// A number or a placeholder.
    Value,
    /// A text in quotes.
    String,
    /// A prefix that belongs to the string after it.
    Prefix,
    /// An operator or punctuation.
    Sign(&'a str),
}

/// Nothing certain can be said about the rest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut;

#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    /// Whitespace or comments came before the token.
    pub(super) spaced: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            text,
            at: 0,
            dialect,
            spaced: false,
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn starts(&self, with: &str) -> bool {
        self.text.as_bytes()[self.at..].starts_with(with.as_bytes())
    }

    /// Everything up to the first byte that `part` refuses.
    fn take(&mut self, part: impl Fn(u8) -> bool) -> &'a str {
        let start = self.at;
        while self.peek(0).is_some_and(&part) {
            self.at += 1;
        }
        // Bytes beyond ASCII are words, and never the last that is refused.
        self.text.get(start..self.at).unwrap_or("")
    }

    pub(super) fn next(&mut self) -> Option<Result<Token<'a>, Cut>> {
        match self.skip() {
            Ok(spaced) => self.spaced = spaced,
            Err(cut) => return Some(Err(cut)),
        }
        let byte = self.peek(0)?;
        Some(match byte {
            b'0'..=b'9' => Ok(self.number()),
            b'.' if self.peek(1).is_some_and(|b| b.is_ascii_digit()) => Ok(self.number()),
            b'\'' => self.string(b'\''),
            b'"' => self.double_quoted(),
            b'`' if self.dialect != Dialect::Postgres => self.quoted(b'`', false).map(Token::Name),
            b'[' if self.dialect == Dialect::Sqlite => self.bracketed(),
            b'[' if self.dialect == Dialect::MySql => Err(Cut),
            b'`' | b'\\' | 0 => Err(Cut),
            b'#' if self.dialect == Dialect::Sqlite => Err(Cut),
            b'$' => self.dollar(),
            b'?' if self.dialect != Dialect::Postgres => {
                self.at += 1;
                self.take(|b| b.is_ascii_digit());
                Ok(Token::Value)
            }
            b':' if self.peek(1).is_some_and(is_word) && self.dialect == Dialect::Sqlite => {
                self.at += 1;
                self.take(is_word);
                Ok(Token::Value)
            }
            _ if is_word(byte) => Ok(self.word()),
            _ => Ok(Token::Sign(self.sign())),
        })
    }

    /// Whitespace, control characters and comments.
    fn skip(&mut self) -> Result<bool, Cut> {
        let start = self.at;
        loop {
            let blank = |b: u8| b != 0 && (b.is_ascii_whitespace() || b.is_ascii_control());
            self.take(blank);
            let mysql = self.dialect == Dialect::MySql;
            if self.starts("--") {
                // To MySQL `--5` is minus minus five.
                if mysql && self.peek(2).is_some_and(|b| b > b' ' && b != 0x7f) {
                    break;
                }
                self.line_comment();
            } else if mysql && self.starts("#") {
                self.line_comment();
            } else if self.starts("/*") {
                self.block_comment()?;
            } else {
                break;
            }
        }
        Ok(self.at > start)
    }

    fn line_comment(&mut self) {
        let postgres = self.dialect == Dialect::Postgres;
        self.take(|b| b != b'\n' && !(postgres && b == b'\r'));
    }

    fn block_comment(&mut self) -> Result<(), Cut> {
        self.at += 2;
        // To MySQL and MariaDB these are code, depending on the version.
        if self.dialect == Dialect::MySql && (self.starts("!") || self.starts("M!")) {
            return Err(Cut);
        }
        let mut depth = 1;
        while depth > 0 {
            if self.starts("*/") {
                self.at += 2;
                depth -= 1;
            } else if self.starts("/*") {
                // Only PostgreSQL's nest.
                if self.dialect != Dialect::Postgres {
                    return Err(Cut);
                }
                self.at += 2;
                depth += 1;
            } else if self.peek(0).is_some() {
                self.at += 1;
            } else {
                return Err(Cut);
            }
        }
        Ok(())
    }

    /// What begins like a number: also hexadecimal ones, exponents, and names that begin so.
    fn number(&mut self) -> Token<'a> {
        let postgres = self.dialect == Dialect::Postgres;
        loop {
            // A dollar may begin PostgreSQL's quotes here.
            let part = self.take(|b| b == b'.' || is_word(b) && !(postgres && b == b'$'));
            let exponent = part.ends_with(['e', 'E']);
            if exponent && matches!(self.peek(0), Some(b'+' | b'-')) {
                self.at += 1;
            } else {
                return Token::Value;
            }
        }
    }

    fn word(&mut self) -> Token<'a> {
        let word = self.take(is_word);
        let prefix = word.len() == 1 || word.starts_with('_');
        if prefix && self.peek(0) == Some(b'\'') {
            return Token::Prefix;
        }
        Token::Word(word)
    }

    /// A word right behind a string (`'O'Brien'`) is most likely the rest of a value whose quotes
    /// were not escaped.
    fn string(&mut self, quote: u8) -> Result<Token<'a>, Cut> {
        self.quoted(quote, true)?;
        if self.peek(0).is_some_and(is_word) {
            return Err(Cut);
        }
        Ok(Token::String)
    }

    /// A quoted text; two quotes are one of its characters. Where a backslash can escape, one
    /// before a quote ends the certainty: whether it does is a matter of settings.
    fn quoted(&mut self, quote: u8, backslash: bool) -> Result<&'a str, Cut> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            let byte = self.peek(0).ok_or(Cut)?;
            self.at += 1;
            if byte == quote {
                if escaped {
                    return Err(Cut);
                }
                if self.peek(0) != Some(quote) {
                    return self.text.get(start..self.at).ok_or(Cut);
                }
                self.at += 1;
            }
            escaped = backslash && byte == b'\\' && !escaped;
        }
    }

    fn double_quoted(&mut self) -> Result<Token<'a>, Cut> {
        match self.dialect {
            Dialect::MySql => self.string(b'"'),
            Dialect::Postgres => self.quoted(b'"', false).map(Token::Name),
            Dialect::Sqlite => {
                let name = self.quoted(b'"', false)?;
                // Only names have columns.
                let qualifies = self.peek(0) == Some(b'.');
                Ok(if qualifies {
                    Token::Name(name)
                } else {
                    Token::Doubtful(name)
                })
            }
        }
    }

    fn bracketed(&mut self) -> Result<Token<'a>, Cut> {
        let start = self.at;
        self.take(|b| b != b']');
        self.peek(0).ok_or(Cut)?;
        self.at += 1;
        self.text.get(start..self.at).ok_or(Cut).map(Token::Name)
    }

    /// `$1`, or PostgreSQL's `$tag$text$tag$`.
    fn dollar(&mut self) -> Result<Token<'a>, Cut> {
        let start = self.at;
        self.at += 1;
        if self.dialect != Dialect::Postgres {
            self.take(is_word);
            return Ok(Token::Value);
        }
        if self.peek(0).is_some_and(|b| b.is_ascii_digit()) {
            self.take(|b| b.is_ascii_digit());
            return Ok(Token::Value);
        }
        self.take(|b| is_word(b) && b != b'$');
        if self.peek(0) != Some(b'$') {
            return Err(Cut);
        }
        self.at += 1;
        let tag = self.text.get(start..self.at).ok_or(Cut)?;
        let rest = self.text.get(self.at..).ok_or(Cut)?;
        self.at += rest.find(tag).ok_or(Cut)? + tag.len();
        Ok(Token::String)
    }

    fn sign(&mut self) -> &'a str {
        let start = self.at;
        for two in ["::", "<=", ">=", "<>", "!=", "||", "->"] {
            if self.starts(two) {
                self.at += 2;
                return two;
            }
        }
        self.at += 1;
        self.text.get(start..self.at).unwrap_or("")
    }
}
