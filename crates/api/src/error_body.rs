//! The body of an answer that is not the one hoped for.

use serde::{Deserialize, Serialize};

use crate::error_code::ErrorCode;

/// `{"code": …, "message": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The name of an [`ErrorCode`], or one that only a newer server knows.
    pub code: String,
    /// What happened, for people.
    pub message: String,
}

impl ErrorBody {
    /// The body for `code`.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code: code.name().to_owned(), message: message.into() }
    }

    /// The code, if this version knows it.
    pub fn error_code(&self) -> Option<ErrorCode> {
        ErrorCode::from_name(&self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_servers_code_can_be_read() {
        let body: ErrorBody =
            serde_json::from_str(r#"{"code":"from_the_future","message":"m","more":1}"#).expect("parses");
        assert_eq!(body.error_code(), None);
        let body = ErrorBody::new(ErrorCode::KeyEmpty, "the key is empty");
        assert_eq!(
            serde_json::to_string(&body).expect("serialises"),
            r#"{"code":"key_empty","message":"the key is empty"}"#
        );
        assert_eq!(body.error_code(), Some(ErrorCode::KeyEmpty));
    }
}
