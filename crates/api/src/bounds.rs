//! Which keys: a prefix, or bounds.

use bytes::Bytes;
use quorate_kv::KeyRange;

use crate::bytes_form::BytesForm;

/// The six fields that say which keys, as they stand in JSON objects of several kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BoundsForm {
    pub(crate) prefix: BytesForm<'static>,
    pub(crate) start: BytesForm<'static>,
    pub(crate) end: BytesForm<'static>,
}

impl BoundsForm {
    /// The form of a range: always its bounds, since a range does not know what prefix it was made of.
    pub(crate) fn of(range: &KeyRange) -> Self {
        Self {
            prefix: BytesForm::default(),
            start: BytesForm::of_owned(range.start()),
            end: range.end().map(|end| BytesForm::of_owned(end)).unwrap_or_default(),
        }
    }

    /// The range, or `None` if none of the fields is there.
    pub(crate) fn optional(self) -> Result<Option<KeyRange>, String> {
        let prefix = self.prefix.optional("prefix")?;
        let start = self.start.optional("start")?;
        let end = self.end.optional("end")?;
        range(prefix, start, end)
    }

    /// The range, of which a field has to be there.
    pub(crate) fn required(self) -> Result<KeyRange, String> {
        self.optional()?.ok_or_else(|| "prefix, start or end is missing".to_owned())
    }
}

/// The range that a prefix or bounds stand for, or `None` if there are none of them.
pub(crate) fn range(
    prefix: Option<Bytes>,
    start: Option<Bytes>,
    end: Option<Bytes>,
) -> Result<Option<KeyRange>, String> {
    match (prefix, start, end) {
        (None, None, None) => Ok(None),
        (Some(prefix), None, None) => Ok(Some(KeyRange::prefix(prefix))),
        (None, start, end) => Ok(Some(KeyRange::new(start.unwrap_or_default(), end))),
        (Some(_), _, _) => Err("prefix goes with neither start nor end".to_owned()),
    }
}

macro_rules! bounds_of {
    ($form:expr) => {
        $crate::bounds::BoundsForm {
            prefix: $crate::bytes_form::BytesForm { text: $form.prefix, base64: $form.prefix_base64 },
            start: $crate::bytes_form::BytesForm { text: $form.start, base64: $form.start_base64 },
            end: $crate::bytes_form::BytesForm { text: $form.end, base64: $form.end_base64 },
        }
    };
}
pub(crate) use bounds_of;
