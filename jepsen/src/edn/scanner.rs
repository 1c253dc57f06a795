//! The words of EDN: one pass over bytes, without copies.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::event::{Problem, Value};

/// How deep values may lie in one another. Real histories reach five.
const DEPTH_MAX: usize = 100;

/// Why the scanner stopped.
pub(super) enum Stop {
    /// The bytes ended inside a form. There may be more of them.
    Incomplete,
    /// The bytes are not EDN, or not an event.
    Wrong(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Wrong(problem)
    }
}

/// What a byte means where a form may begin.
const BLANK: u8 = 1;
/// What ends a word. Every blank does.
const DELIMITER: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let blanks = b" \t\n\r\x0c,";
    let mut index = 0;
    while index < blanks.len() {
        classes[blanks[index] as usize] = BLANK | DELIMITER;
        index += 1;
    }
    let others = b"[](){}\";";
    index = 0;
    while index < others.len() {
        classes[others[index] as usize] = DELIMITER;
        index += 1;
    }
    classes
};

/// A position in bytes of EDN.
#[derive(Clone)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at the first of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// How many bytes were passed.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The bytes between an earlier position and this one.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// What has not been passed.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Skips blanks, comments and discarded forms. The next byte, which is not passed.
    pub(super) fn peek(&mut self) -> Result<u8, Stop> {
        loop {
            let byte = *self.bytes.get(self.at).ok_or(Stop::Incomplete)?;
            if CLASSES[byte as usize] & BLANK != 0 {
                self.at += 1;
            } else if byte == b';' {
                let end = self.rest().iter().position(|byte| *byte == b'\n').ok_or(Stop::Incomplete)?;
                self.at += end + 1;
            } else if byte == b'#' && *self.bytes.get(self.at + 1).ok_or(Stop::Incomplete)? == b'_' {
                self.at += 2;
                self.value()?;
            } else {
                return Ok(byte);
            }
        }
    }

    /// Passes the byte that [`Scanner::peek`] returned.
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    /// Passes a word: everything up to a delimiter.
    pub(super) fn word(&mut self) -> Result<&'a [u8], Stop> {
        let start = self.at;
        let rest = self.rest();
        let length =
            rest.iter().position(|byte| CLASSES[*byte as usize] & DELIMITER != 0).ok_or(Stop::Incomplete)?;
        if length == 0 {
            return Err(Problem::syntax(rest, "a value").into());
        }
        self.at += length;
        Ok(&self.bytes[start..self.at])
    }

    /// Passes a value of any kind.
    pub(super) fn value(&mut self) -> Result<Value<'a>, Stop> {
        match self.peek()? {
            b'"' => self.text().map(Value::Text),
            b'[' => self.elements(b']').map(Value::List),
            b'(' => self.elements(b')').map(Value::List),
            b'{' => self.map(),
            b'#' => self.dispatch(),
            b'\\' => self.character(),
            _ => Ok(word_value(self.word()?)),
        }
    }

    /// Passes a text and its quotes.
    fn text(&mut self) -> Result<Cow<'a, [u8]>, Stop> {
        let start = self.at + 1;
        let rest = &self.bytes[start..];
        let special = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).ok_or(Stop::Incomplete)?;
        if rest[special] == b'"' {
            self.at = start + special + 1;
            return Ok(Cow::Borrowed(&rest[..special]));
        }
        self.at = start + special;
        let mut text = rest[..special].to_vec();
        loop {
            let byte = self.next()?;
            match byte {
                b'"' => return Ok(Cow::Owned(text)),
                b'\\' => self.escape(&mut text)?,
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), Stop> {
        let start = self.at - 1;
        let mut character = match self.next()? {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            byte @ (b'"' | b'\\' | b'/' | b'\'') => char::from(byte),
            b'u' => {
                let first = self.hexadecimal()?;
                self.after_surrogate(first)?
            }
            _ => char::REPLACEMENT_CHARACTER,
        };
        if character == char::REPLACEMENT_CHARACTER && self.bytes[start + 1] != b'u' {
            character = self.octal(start)?;
        }
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// `\ooo`, which Java has and Clojure prints for some control characters.
    fn octal(&mut self, start: usize) -> Result<char, Stop> {
        let digits = &self.bytes[start + 1..];
        let length = digits.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
        if length == 0 {
            return Err(Problem::syntax(&self.bytes[start..], "an escape such as \\n or \\u00e9").into());
        }
        self.at = start + 1 + length;
        let code = digits[..length].iter().fold(0, |code, digit| code * 8 + u32::from(digit - b'0'));
        Ok(char::from_u32(code).expect("three octal digits are a character"))
    }

    fn hexadecimal(&mut self) -> Result<u32, Stop> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or(Stop::Incomplete)?;
        let code = std::str::from_utf8(digits).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
        let code = code.ok_or_else(|| Problem::syntax(digits, "four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    /// The character of a `\u` escape: Java writes one beyond 16 bits as two escapes.
    fn after_surrogate(&mut self, first: u32) -> Result<char, Stop> {
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if self.bytes.get(self.at..self.at + 2).ok_or(Stop::Incomplete)? != b"\\u" {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        self.at += 2;
        let second = self.hexadecimal()?;
        let code = 0x10000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn next(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Incomplete)?;
        self.at += 1;
        Ok(byte)
    }

    /// Passes everything up to `close`, and the opening byte before.
    fn elements(&mut self, close: u8) -> Result<Vec<Value<'a>>, Stop> {
        self.enter()?;
        let mut elements = Vec::new();
        while self.peek()? != close {
            elements.push(self.value()?);
        }
        self.leave();
        Ok(elements)
    }

    fn map(&mut self) -> Result<Value<'a>, Stop> {
        self.enter()?;
        let mut entries = Vec::new();
        while self.peek()? != b'}' {
            let key = self.value()?;
            entries.push((key, self.value()?));
        }
        self.leave();
        Ok(Value::Map(entries))
    }

    fn enter(&mut self) -> Result<(), Stop> {
        if self.depth == DEPTH_MAX {
            return Err(Problem::syntax(self.rest(), "values that lie less deep in one another").into());
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// `#{...}`, `#"..."` or `#tag value`. What has a tag is kept as it is written.
    fn dispatch(&mut self) -> Result<Value<'a>, Stop> {
        let start = self.at;
        match *self.bytes.get(self.at + 1).ok_or(Stop::Incomplete)? {
            b'{' => {
                self.at += 1;
                return self.elements(b'}').map(Value::Set);
            }
            b'"' => {
                self.at += 1;
                self.text()?;
            }
            _ => {
                let tag = self.word()?;
                let value = self.value()?;
                if let (b"#base64", Value::Text(text)) = (tag, &value) {
                    let bytes = STANDARD.decode(text);
                    let bytes = bytes.map_err(|_| Problem::syntax(text, "base64 after its tag"))?;
                    return Ok(Value::Text(Cow::Owned(bytes)));
                }
            }
        }
        Ok(Value::Word(Cow::Borrowed(self.since(start))))
    }

    /// `\a`, `\newline`, `\(`.
    fn character(&mut self) -> Result<Value<'a>, Stop> {
        let start = self.at;
        self.at += 1;
        self.next()?;
        let rest = self.rest();
        let length =
            rest.iter().position(|byte| CLASSES[*byte as usize] & DELIMITER != 0).ok_or(Stop::Incomplete)?;
        self.at += length;
        Ok(Value::Word(Cow::Borrowed(self.since(start))))
    }
}

/// A word as a value. `+1` and `1N` are written as 1, which they are.
fn word_value(word: &[u8]) -> Value<'_> {
    if word == b"nil" {
        return Value::Nil;
    }
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let plain = match word {
        [b'+', digits @ ..] if is_number(digits) => digits,
        [digits @ .., b'N'] if is_number(digits.strip_prefix(b"-").unwrap_or(digits)) => digits,
        _ => word,
    };
    Value::Word(Cow::Borrowed(plain))
}
