//! An operation in JSON.

use std::borrow::Cow;

use quorate_kv::{Direction, KeyRange, Operation, RangeForm};
use serde::{Deserialize, Serialize};

use super::comparison::exactly_one;
use super::{TransactionBody, TransactionForm};
use crate::bounds::{BoundsForm, bounds_of};
use crate::bytes_form::BytesForm;
use crate::decimal::lenient::Number;
use crate::order::Order;

/// An operation as a request carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OperationForm", into = "OperationForm")]
pub(super) struct OperationBody(pub(super) Operation);

/// Exactly one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Operation))]
pub(super) struct OperationForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    put: Option<PutForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    get: Option<KeyForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<KeyForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<RangeOperationForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_range: Option<DeleteRangeForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    txn: Option<TransactionForm>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PutOperation))]
struct PutForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key_base64: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    value: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    value_base64: Option<Cow<'static, str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = KeyOperation))]
struct KeyForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key_base64: Option<Cow<'static, str>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = RangeOperation))]
struct RangeOperationForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    prefix: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    prefix_base64: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    start: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    start_base64: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    end: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    end_base64: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Number>,
    order: Order,
    keys_only: bool,
    count_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DeleteRangeOperation))]
struct DeleteRangeForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    prefix: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    prefix_base64: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    start: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    start_base64: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    end: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    end_base64: Option<Cow<'static, str>>,
}

impl KeyForm {
    fn of(key: &[u8]) -> Self {
        let BytesForm { text, base64 } = BytesForm::of_owned(key);
        Self { key: text, key_base64: base64 }
    }

    fn read(self) -> Result<bytes::Bytes, String> {
        BytesForm { text: self.key, base64: self.key_base64 }.required("key")
    }
}

impl PutForm {
    fn of(key: &[u8], value: &[u8]) -> Self {
        let (key, value) = (BytesForm::of_owned(key), BytesForm::of_owned(value));
        Self { key: key.text, key_base64: key.base64, value: value.text, value_base64: value.base64 }
    }

    fn read(self) -> Result<Operation, String> {
        Ok(Operation::Put {
            key: BytesForm { text: self.key, base64: self.key_base64 }.required("key")?,
            value: BytesForm { text: self.value, base64: self.value_base64 }.required("value")?,
        })
    }
}

impl RangeOperationForm {
    fn of(range: &KeyRange, direction: Direction, limit: Option<u64>, form: RangeForm) -> Self {
        let BoundsForm { prefix: _, start, end } = BoundsForm::of(range);
        Self {
            prefix: None,
            prefix_base64: None,
            start: start.text,
            start_base64: start.base64,
            end: end.text,
            end_base64: end.base64,
            limit: limit.map(Number),
            order: direction.into(),
            keys_only: form == RangeForm::Keys,
            count_only: form == RangeForm::Count,
        }
    }

    fn read(self) -> Result<Operation, String> {
        let form = crate::order::range_form(self.keys_only, self.count_only)?;
        let range = bounds_of!(self).optional()?.unwrap_or_else(KeyRange::all);
        let limit = self.limit.map(|Number(limit)| limit);
        Ok(Operation::Range { range, direction: self.order.into(), limit, form })
    }
}

impl DeleteRangeForm {
    fn of(range: &KeyRange) -> Self {
        let BoundsForm { prefix: _, start, end } = BoundsForm::of(range);
        Self {
            prefix: None,
            prefix_base64: None,
            start: start.text,
            start_base64: start.base64,
            end: end.text,
            end_base64: end.base64,
        }
    }

    fn read(self) -> Result<Operation, String> {
        Ok(Operation::DeleteRange { range: bounds_of!(self).required()? })
    }
}

impl TryFrom<OperationForm> for OperationBody {
    type Error = String;

    fn try_from(form: OperationForm) -> Result<Self, String> {
        let given = [
            form.put.map(PutForm::read),
            form.get.map(|get| get.read().map(|key| Operation::Get { key })),
            form.delete.map(|delete| delete.read().map(|key| Operation::Delete { key })),
            form.range.map(RangeOperationForm::read),
            form.delete_range.map(DeleteRangeForm::read),
            form.txn.map(|nested| Ok(Operation::Transaction(TransactionBody::from(nested).0))),
        ];
        let operation = exactly_one(given.into_iter().flatten()).unwrap_or_else(|| {
            Err("an operation is exactly one of put, get, delete, range, delete_range, txn".to_owned())
        });
        operation.map(Self)
    }
}

impl From<OperationBody> for OperationForm {
    fn from(OperationBody(operation): OperationBody) -> Self {
        let mut form = Self::default();
        match operation {
            Operation::Put { key, value } => form.put = Some(PutForm::of(&key, &value)),
            Operation::Get { key } => form.get = Some(KeyForm::of(&key)),
            Operation::Delete { key } => form.delete = Some(KeyForm::of(&key)),
            Operation::Range { range, direction, limit, form: amount } => {
                form.range = Some(RangeOperationForm::of(&range, direction, limit, amount));
            }
            Operation::DeleteRange { range } => form.delete_range = Some(DeleteRangeForm::of(&range)),
            Operation::Transaction(nested) => form.txn = Some(TransactionBody(nested).into()),
        }
        form
    }
}
