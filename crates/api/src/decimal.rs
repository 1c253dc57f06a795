//! `u64` as a decimal string in JSON.
//!
//! Answers write and read nothing else. Requests are written so too, but [`lenient`] reads numbers as well:
//! whoever types one by hand will not think of quotes.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(not_a_number(&text)))
}

/// The number in a text of nothing but digits.
pub(crate) fn parse(text: &str) -> Option<u64> {
    // Without the check a plus sign would pass.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn not_a_number(text: &str) -> String {
    format!("{text:?} is not a decimal number of 64 bits")
}

/// The same for a number that may be absent (`null`).
pub(crate) mod optional {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => serializer.collect_str(number),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let parse =
            |text: String| super::parse(&text).ok_or_else(|| D::Error::custom(super::not_a_number(&text)));
        text.map(parse).transpose()
    }
}

/// A number of a request: written as a string, read from a string or a number.
pub(crate) mod lenient {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// The number.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Number(pub(crate) u64);

    impl Serialize for Number {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Number {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(NumberVisitor).map(Number)
        }
    }

    struct NumberVisitor;

    impl Visitor<'_> for NumberVisitor {
        type Value = u64;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a whole number of 64 bits, as a number or as a string of digits")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            super::parse(text).ok_or_else(|| E::custom(super::not_a_number(text)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lenient::Number;

    #[test]
    fn requests_may_have_numbers_or_strings() {
        for (json, number) in [("5", 5), ("\"5\"", 5), ("\"18446744073709551615\"", u64::MAX), ("\"007\"", 7)]
        {
            assert_eq!(serde_json::from_str::<Number>(json).expect(json), Number(number));
        }
        for json in
            ["-1", "1.5", "1e3", "\"\"", "\"+1\"", "\"1 \"", "\"18446744073709551616\"", "true", "null"]
        {
            assert!(serde_json::from_str::<Number>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::to_string(&Number(u64::MAX)).expect("serialises"), "\"18446744073709551615\"");
    }
}
