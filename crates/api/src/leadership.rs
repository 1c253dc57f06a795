//! `POST /v1/cluster/leader`: handing leadership over.

use serde::{Deserialize, Serialize};

use crate::decimal::lenient::Number;

/// The body of `POST /v1/cluster/leader`. An empty body stands for all defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferBody {
    /// The member that is to lead; `None` for the one that is best suited.
    pub to: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TransferBody))]
struct TransferForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Number>,
}

#[cfg(feature = "openapi")]
crate::schema_of::schema_of!(TransferBody, TransferForm);

impl Serialize for TransferBody {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        TransferForm { to: self.to.map(Number) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TransferBody {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = TransferForm::deserialize(deserializer)?;
        Ok(Self { to: form.to.map(|Number(member)| member) })
    }
}

/// The answer to `POST /v1/cluster/leader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TransferAnswer {
    /// The member that leads now.
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    pub leader: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::parse_body;

    #[test]
    fn the_forms_hold_still() {
        for (json, to) in [("{}", None), (r#"{"to":"2"}"#, Some(2)), (r#"{"to":2}"#, Some(2))] {
            assert_eq!(parse_body(json.as_bytes()), Ok(TransferBody { to }));
        }
        assert!(parse_body::<TransferBody>(br#"{"leader":1}"#).is_err());
        let body = TransferBody { to: Some(2) };
        assert_eq!(serde_json::to_string(&body).expect("serialises"), r#"{"to":"2"}"#);
        let answer = serde_json::to_string(&TransferAnswer { leader: 2 });
        assert_eq!(answer.expect("serialises"), r#"{"leader":"2"}"#);
    }
}
