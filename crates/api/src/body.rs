//! Reading the JSON body of a request, strictly.

use serde::de::DeserializeOwned;

use crate::strict_json::Strict;

/// A body that is not what the route takes. Says where: `success[2].put: unknown field …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadBody {
    message: String,
}

/// Reads a body. Unknown and repeated fields, wrong types and whatever follows the JSON are errors, which
/// name the path to the field.
pub fn parse_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadBody> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(Strict(&mut deserializer)).map_err(|error| {
        let path = error.path().to_string();
        let message = match &path[..] {
            "." => format!("the body is not valid: {}", error.inner()),
            path => format!("the body is not valid at {path}: {}", error.inner()),
        };
        BadBody { message }
    })?;
    deserializer.end().map_err(|error| BadBody { message: format!("the body is not valid: {error}") })?;
    Ok(parsed)
}
