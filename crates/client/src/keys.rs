//! Which keys a request is about.

use quorate_api::key::encode_key;
use quorate_api::range_parameters::{END, PREFIX, START};
use quorate_api::{DeleteRangeParameters, RangeParameters};

/// A range of keys, in the order of their bytes.
///
/// ```
/// use quorate_client::Keys;
///
/// assert_ne!(Keys::prefix("fruit/"), Keys::all());
/// assert_eq!(Keys::prefix("a"), Keys::between("a", "b"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// As the API takes it.
    pub(crate) wire: DeleteRangeParameters,
}

impl Keys {
    /// Every key.
    pub fn all() -> Self {
        Self::prefix("")
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        Self::of_query(&format!("{PREFIX}={}", encode_key(prefix.as_ref())))
    }

    /// The keys from `start` on.
    pub fn from(start: impl AsRef<[u8]>) -> Self {
        Self::of_query(&format!("{START}={}", encode_key(start.as_ref())))
    }

    /// The keys from `start` (included) up to `end` (excluded).
    pub fn between(start: impl AsRef<[u8]>, end: impl AsRef<[u8]>) -> Self {
        let (start, end) = (encode_key(start.as_ref()), encode_key(end.as_ref()));
        Self::of_query(&format!("{START}={start}&{END}={end}"))
    }

    fn of_query(query: &str) -> Self {
        Self { wire: DeleteRangeParameters::parse(query).expect("bounds are percent-encoded") }
    }

    /// The query that reads them.
    pub(crate) fn parameters(self) -> RangeParameters {
        RangeParameters { range: Some(self.wire.range), ..RangeParameters::default() }
    }
}
