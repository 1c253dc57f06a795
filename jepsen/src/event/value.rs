//! What a call carries or answers, as it stands in a file.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A value, borrowed from its text where nothing had to be unescaped.
///
/// A history tells values apart by their [`Value::label`]: the number 1 and the text "1" are the same
/// value, 1 and 1.0 are not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value<'a> {
    /// `nil` or `null`.
    Nil,
    /// A number, a boolean, a keyword with its colon, a symbol, or anything with a tag: as it is written.
    Word(Cow<'a, [u8]>),
    /// A text, without its quotes; or bytes.
    Text(Cow<'a, [u8]>),
    /// A vector or a list.
    List(Vec<Value<'a>>),
    /// A set, in the order in which it is written.
    Set(Vec<Value<'a>>),
    /// A map, in the order in which it is written.
    Map(Vec<(Value<'a>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// An integer.
    pub fn integer(number: i64) -> Self {
        Self::Word(Cow::Owned(number.to_string().into_bytes()))
    }

    /// A text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text.as_bytes()))
    }

    /// Whether there is no value.
    pub fn is_nil(&self) -> bool {
        *self == Self::Nil
    }

    /// The integer, if it is one that fits.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Word(word) => std::str::from_utf8(word).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The integer from 0, if it is one that fits.
    pub fn as_number(&self) -> Option<u64> {
        match self {
            Self::Word(word) => std::str::from_utf8(word).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// The elements of a vector, a list or a set.
    pub fn elements(&self) -> Option<&[Value<'a>]> {
        match self {
            Self::List(elements) | Self::Set(elements) => Some(elements),
            _ => None,
        }
    }

    /// The two elements of a vector or list of two.
    pub fn pair(&self) -> Option<(&Value<'a>, &Value<'a>)> {
        match self {
            Self::List(elements) => match elements.as_slice() {
                [first, second] => Some((first, second)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The name that a keyword, a symbol or a text is: without colon or quotes.
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Word(word) => Some(word.strip_prefix(b":").unwrap_or(word)),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Value<'static> {
        let owned = |elements: Vec<Value<'_>>| elements.into_iter().map(Value::into_owned).collect();
        match self {
            Self::Nil => Value::Nil,
            Self::Word(word) => Value::Word(Cow::Owned(word.into_owned())),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::List(elements) => Value::List(owned(elements)),
            Self::Set(elements) => Value::Set(owned(elements)),
            Self::Map(entries) => Value::Map(
                entries.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())).collect(),
            ),
        }
    }

    /// The text by which values are told apart and shown to people: a text without its quotes, anything
    /// else as it is written in EDN. Numbers and texts cost no copy.
    pub fn label(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Word(bytes) | Self::Text(bytes) => Cow::Borrowed(bytes),
            _ => Cow::Owned(self.to_edn()),
        }
    }

    /// The value as it is written in EDN.
    pub fn to_edn(&self) -> Vec<u8> {
        let mut output = Vec::new();
        self.write_edn(&mut output);
        output
    }

    /// The value in JSON. What JSON does not have becomes a text.
    pub fn to_json(&self) -> serde_json::Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let array = |elements: &[Value<'_>]| elements.iter().map(Value::to_json).collect();
        match self {
            Self::Nil => serde_json::Value::Null,
            Self::Word(word) => match serde_json::from_slice(word) {
                Ok(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => value,
                _ => text(word.strip_prefix(b":").unwrap_or(word)).into(),
            },
            Self::Text(bytes) => text(bytes).into(),
            Self::List(elements) | Self::Set(elements) => serde_json::Value::Array(array(elements)),
            Self::Map(entries) => serde_json::Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| (text(key.name().unwrap_or(&key.to_edn())), value.to_json()))
                    .collect(),
            ),
        }
    }

    /// The value that JSON writes.
    pub fn from_json(value: serde_json::Value) -> Value<'static> {
        let word = |text: String| Value::Word(Cow::Owned(text.into_bytes()));
        match value {
            serde_json::Value::Null => Value::Nil,
            serde_json::Value::Bool(truth) => word(truth.to_string()),
            serde_json::Value::Number(number) => word(number.to_string()),
            serde_json::Value::String(text) => Value::Text(Cow::Owned(text.into_bytes())),
            serde_json::Value::Array(elements) => {
                Value::List(elements.into_iter().map(Value::from_json).collect())
            }
            serde_json::Value::Object(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (Value::Text(Cow::Owned(key.into_bytes())), Value::from_json(value)))
                    .collect(),
            ),
        }
    }

    /// Appends the value as it is written in EDN. Bytes that are no text become `#base64 "..."`.
    pub fn write_edn(&self, output: &mut Vec<u8>) {
        let separated = |output: &mut Vec<u8>, open: &[u8], elements: &[Value<'_>], close: u8| {
            output.extend_from_slice(open);
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    output.push(b' ');
                }
                element.write_edn(output);
            }
            output.push(close);
        };
        match self {
            Self::Nil => output.extend_from_slice(b"nil"),
            Self::Word(word) => output.extend_from_slice(word),
            Self::Text(text) => write_text(text, output),
            Self::List(elements) => separated(output, b"[", elements, b']'),
            Self::Set(elements) => separated(output, b"#{", elements, b'}'),
            Self::Map(entries) => {
                output.push(b'{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        output.extend_from_slice(b", ");
                    }
                    key.write_edn(output);
                    output.push(b' ');
                    value.write_edn(output);
                }
                output.push(b'}');
            }
        }
    }
}

fn write_text(text: &[u8], output: &mut Vec<u8>) {
    if std::str::from_utf8(text).is_err() {
        output.extend_from_slice(b"#base64 \"");
        output.extend_from_slice(STANDARD.encode(text).as_bytes());
        output.push(b'"');
        return;
    }
    output.push(b'"');
    for byte in text {
        match byte {
            b'"' => output.extend_from_slice(b"\\\""),
            b'\\' => output.extend_from_slice(b"\\\\"),
            b'\n' => output.extend_from_slice(b"\\n"),
            b'\r' => output.extend_from_slice(b"\\r"),
            b'\t' => output.extend_from_slice(b"\\t"),
            other => output.push(*other),
        }
    }
    output.push(b'"');
}
