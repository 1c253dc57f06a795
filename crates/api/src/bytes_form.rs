//! Bytes in JSON: as text where they are text.
//!
//! A key or value that is valid UTF-8 stands under its own name, `"key": "text"`; any other stands in
//! standard base64 under the name with `_base64`, `"key_base64": "/w=="`. Requests may use either form for
//! any bytes, but not both at once.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// The two forms of some bytes, of which exactly one is there; none for bytes that are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BytesForm<'bytes> {
    pub(crate) text: Option<Cow<'bytes, str>>,
    pub(crate) base64: Option<Cow<'bytes, str>>,
}

impl<'bytes> BytesForm<'bytes> {
    /// The form that the bytes are written in.
    pub(crate) fn of(bytes: &'bytes [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: Some(Cow::Borrowed(text)), base64: None },
            Err(_) => Self { text: None, base64: Some(Cow::Owned(encode_base64(bytes))) },
        }
    }

    /// The same for bytes that may be absent.
    pub(crate) fn of_optional(bytes: Option<&'bytes Bytes>) -> Self {
        bytes.map_or_else(Self::default, |bytes| Self::of(bytes))
    }

    /// The form that the bytes are written in, independent of them.
    pub(crate) fn of_owned(bytes: &[u8]) -> BytesForm<'static> {
        let BytesForm { text, base64 } = BytesForm::of(bytes);
        let owned = |form: Cow<'_, str>| Cow::Owned(form.into_owned());
        BytesForm { text: text.map(owned), base64: base64.map(owned) }
    }

    /// The bytes that `name` and `name_base64` stand for, if either is there.
    pub(crate) fn optional(self, name: &str) -> Result<Option<Bytes>, String> {
        match (self.text, self.base64) {
            (None, None) => Ok(None),
            (Some(text), None) => Ok(Some(Bytes::from(text.into_owned()))),
            (None, Some(base64)) => decode_base64(name, &base64).map(Some),
            (Some(_), Some(_)) => Err(format!("{name} and {name}_base64 are both given")),
        }
    }

    /// The bytes, which have to be there.
    pub(crate) fn required(self, name: &str) -> Result<Bytes, String> {
        self.optional(name)?.ok_or_else(|| format!("{name} or {name}_base64 is missing"))
    }
}

/// Bytes in standard base64.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes behind `name_base64`.
pub(crate) fn decode_base64(name: &str, base64: &str) -> Result<Bytes, String> {
    let decoded = STANDARD.decode(base64);
    decoded.map(Bytes::from).map_err(|error| format!("{name}_base64 is not standard base64: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_other_bytes_come_back() {
        for (bytes, text, base64) in [
            (&b""[..], Some(""), None),
            (b"plain", Some("plain"), None),
            ("grüße\0".as_bytes(), Some("grüße\0"), None),
            (b"\xff", None, Some("/w==")),
        ] {
            let form = BytesForm::of(bytes);
            assert_eq!((form.text.as_deref(), form.base64.as_deref()), (text, base64));
            assert_eq!(form.required("key"), Ok(Bytes::copy_from_slice(bytes)));
        }
    }

    #[test]
    fn exactly_one_form_is_taken() {
        let form = |text: Option<&'static str>, base64: Option<&'static str>| BytesForm {
            text: text.map(Cow::Borrowed),
            base64: base64.map(Cow::Borrowed),
        };
        assert_eq!(form(None, Some("YQ==")).required("key"), Ok(Bytes::from("a")));
        assert_eq!(form(None, None).optional("key"), Ok(None));
        for (wrong, mention) in [
            (form(None, None), "key or key_base64 is missing"),
            (form(Some("a"), Some("YQ==")), "both"),
            (form(None, Some("YQ")), "not standard base64"),
            (form(None, Some("_w==")), "not standard base64"),
        ] {
            let found = wrong.required("key").expect_err("is wrong");
            assert!(found.contains(mention), "{found}");
        }
    }
}
