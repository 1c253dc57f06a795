//! A key with what belongs to it.

use std::borrow::Cow;

use bytes::Bytes;
use quorate_kv::{KeyEntry, KeyValue};
use serde::{Deserialize, Serialize, Serializer};

use crate::bytes_form::BytesForm;

/// A key, its value if that was asked for, and its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ItemForm<'static>")]
pub struct Item {
    /// The key.
    pub key: Bytes,
    /// Its value; `None` in answers to `keys_only`.
    pub value: Option<Bytes>,
    /// The revision at which the key was created.
    pub create_revision: u64,
    /// The revision of its newest change.
    pub mod_revision: u64,
    /// How often it was put since it was created.
    pub version: u64,
}

impl Item {
    /// A key as a read of that key found it.
    pub fn new(key: Bytes, found: KeyValue) -> Self {
        let KeyValue { value, create_revision, mod_revision, version } = found;
        Self { key, value: Some(value), create_revision, mod_revision, version }
    }
}

impl From<KeyEntry> for Item {
    fn from(entry: KeyEntry) -> Self {
        let KeyEntry { key, value, create_revision, mod_revision, version } = entry;
        Self { key, value, create_revision, mod_revision, version }
    }
}

/// An item as it stands in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Item))]
struct ItemForm<'item> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key: Option<Cow<'item, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key_base64: Option<Cow<'item, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    value: Option<Cow<'item, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    value_base64: Option<Cow<'item, str>>,
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    create_revision: u64,
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    mod_revision: u64,
    #[serde(with = "crate::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9]+$"))]
    version: u64,
}

#[cfg(feature = "openapi")]
crate::schema_of::schema_of!(Item, ItemForm<'static>);

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = BytesForm::of(&self.key);
        let value = BytesForm::of_optional(self.value.as_ref());
        let form = ItemForm {
            key: key.text,
            key_base64: key.base64,
            value: value.text,
            value_base64: value.base64,
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
        };
        form.serialize(serializer)
    }
}

impl TryFrom<ItemForm<'_>> for Item {
    type Error = String;

    fn try_from(form: ItemForm<'_>) -> Result<Self, String> {
        Ok(Self {
            key: BytesForm { text: form.key, base64: form.key_base64 }.required("key")?,
            value: BytesForm { text: form.value, base64: form.value_base64 }.optional("value")?,
            create_revision: form.create_revision,
            mod_revision: form.mod_revision,
            version: form.version,
        })
    }
}
