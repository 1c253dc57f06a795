//! What there is to say of one operation of the API.

use quorate_api::ErrorCode;

/// One method of one path.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// With names in braces.
    pub(super) path: &'static str,
    /// A name for generated clients.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Option<Body>,
    pub(super) answers: &'static [Answer],
    /// Besides those that every operation has.
    pub(super) errors: &'static [&'static [ErrorCode]],
}

/// The methods that operations have. Paths that can be read can also be asked for their heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Put,
    Post,
    Delete,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) place: Place,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) description: &'static str,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

/// What a parameter can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    /// Text of this pattern.
    Pattern(&'static str),
    /// A whole number, 0 or more.
    Number,
    /// A whole number, 1 or more.
    Positive,
    Flag,
    OneOf(&'static [&'static str]),
}

/// A body of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) content: Content,
    pub(super) required: bool,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Any bytes.
    Raw,
    /// JSON of this schema.
    Json(&'static str),
    /// Any bytes, or JSON of this schema, as the client prefers.
    RawOrJson(&'static str),
    Text(&'static str),
}

/// An answer that is no error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) content: Option<Content>,
    pub(super) headers: &'static [&'static str],
}

/// The errors that every operation can answer.
pub(super) const COMMON_ERRORS: &[ErrorCode] =
    &[ErrorCode::BadQuery, ErrorCode::Overloaded, ErrorCode::Unavailable, ErrorCode::ShuttingDown];

impl Operation {
    /// Every error that it can answer, in the order of [`ErrorCode::ALL`].
    pub(super) fn all_errors(&self) -> Vec<ErrorCode> {
        let mut codes: Vec<ErrorCode> =
            self.errors.iter().copied().chain([COMMON_ERRORS]).flatten().copied().collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}
