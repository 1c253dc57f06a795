//! A comparison in JSON.

use std::borrow::Cow;

use bytes::Bytes;
use quorate_kv::{Comparison, Predicate, Relation, Target};
use serde::{Deserialize, Serialize};

use crate::bounds::{BoundsForm, bounds_of};
use crate::bytes_form::{BytesForm, decode_base64, encode_base64};
use crate::decimal::lenient::Number;

/// A comparison as a request carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ComparisonForm", into = "ComparisonForm")]
pub(super) struct ComparisonBody(pub(super) Comparison);

/// A target, and exactly one thing that has to hold for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Comparison))]
pub(super) struct ComparisonForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    key_base64: Option<Cow<'static, str>>,
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
    exists: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TextRelation>))]
    value: Option<RelationForm<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<TextRelation>))]
    value_base64: Option<RelationForm<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NumberRelation>))]
    version: Option<RelationForm<Number>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NumberRelation>))]
    create_revision: Option<RelationForm<Number>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<NumberRelation>))]
    mod_revision: Option<RelationForm<Number>>,
}

/// Exactly one relation, to something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RelationForm<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_equal: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    less: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    greater: Option<T>,
}

/// Exactly one relation, to bytes: how [`RelationForm`] looks for the description of the API.
#[cfg(feature = "openapi")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct TextRelation {
    equal: Option<String>,
    not_equal: Option<String>,
    less: Option<String>,
    greater: Option<String>,
}

/// Exactly one relation, to a number: how [`RelationForm`] looks for the description of the API.
#[cfg(feature = "openapi")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NumberRelation {
    equal: Option<Number>,
    not_equal: Option<Number>,
    less: Option<Number>,
    greater: Option<Number>,
}

impl<T> RelationForm<T> {
    fn new(relation: Relation, operand: T) -> Self {
        let mut form = Self { equal: None, not_equal: None, less: None, greater: None };
        let place = match relation {
            Relation::Equal => &mut form.equal,
            Relation::NotEqual => &mut form.not_equal,
            Relation::Less => &mut form.less,
            Relation::Greater => &mut form.greater,
        };
        *place = Some(operand);
        form
    }

    fn read(self, name: &str) -> Result<(Relation, T), String> {
        let relations = [
            (Relation::Equal, self.equal),
            (Relation::NotEqual, self.not_equal),
            (Relation::Less, self.less),
            (Relation::Greater, self.greater),
        ];
        let given = relations.into_iter().filter_map(|(relation, operand)| Some((relation, operand?)));
        exactly_one(given)
            .ok_or_else(|| format!("{name} takes exactly one of equal, not_equal, less, greater"))
    }
}

/// The only one there is.
pub(super) fn exactly_one<T>(mut given: impl Iterator<Item = T>) -> Option<T> {
    let first = given.next()?;
    given.next().is_none().then_some(first)
}

impl ComparisonForm {
    fn target(key: BytesForm<'_>, bounds: BoundsForm) -> Result<Target, String> {
        match (key.optional("key")?, bounds.optional()?) {
            (Some(key), None) => Ok(Target::Key(key)),
            (None, Some(range)) => Ok(Target::Range(range)),
            (None, None) => Err("what to compare is missing: key, prefix, start or end".to_owned()),
            (Some(_), Some(_)) => Err("key goes with neither prefix nor start nor end".to_owned()),
        }
    }

    fn predicate(
        exists: Option<bool>,
        values: [Option<RelationForm<String>>; 2],
        numbers: [Option<RelationForm<Number>>; 3],
    ) -> Result<Predicate, String> {
        let [text, base64] = values;
        let [version, create_revision, mod_revision] = numbers;
        let number =
            |form: Option<RelationForm<Number>>, name: &str, make: fn(Relation, u64) -> Predicate| {
                form.map(|form| form.read(name).map(|(relation, Number(number))| make(relation, number)))
            };
        let text = text.map(|form| {
            form.read("value").map(|(relation, text)| Predicate::Value(relation, Bytes::from(text)))
        });
        let base64 = base64.map(|form| {
            let (relation, base64) = form.read("value_base64")?;
            decode_base64("value", &base64).map(|value| Predicate::Value(relation, value))
        });
        let given = [
            exists.map(|exists| Ok(Predicate::Exists(exists))),
            text,
            base64,
            number(version, "version", Predicate::Version),
            number(create_revision, "create_revision", Predicate::CreateRevision),
            number(mod_revision, "mod_revision", Predicate::ModRevision),
        ];
        exactly_one(given.into_iter().flatten()).unwrap_or_else(|| {
            let names = "exists, value, value_base64, version, create_revision, mod_revision";
            Err(format!("a comparison takes exactly one of {names}"))
        })
    }

    fn set_predicate(&mut self, predicate: Predicate) {
        match predicate {
            Predicate::Exists(exists) => self.exists = Some(exists),
            Predicate::Value(relation, value) => match String::from_utf8(value.to_vec()) {
                Ok(text) => self.value = Some(RelationForm::new(relation, text)),
                Err(_) => self.value_base64 = Some(RelationForm::new(relation, encode_base64(&value))),
            },
            Predicate::Version(relation, number) => {
                self.version = Some(RelationForm::new(relation, Number(number)));
            }
            Predicate::CreateRevision(relation, number) => {
                self.create_revision = Some(RelationForm::new(relation, Number(number)));
            }
            Predicate::ModRevision(relation, number) => {
                self.mod_revision = Some(RelationForm::new(relation, Number(number)));
            }
        }
    }
}

impl TryFrom<ComparisonForm> for ComparisonBody {
    type Error = String;

    fn try_from(form: ComparisonForm) -> Result<Self, String> {
        let key = BytesForm { text: form.key, base64: form.key_base64 };
        let target = ComparisonForm::target(key, bounds_of!(form))?;
        let values = [form.value, form.value_base64];
        let numbers = [form.version, form.create_revision, form.mod_revision];
        let predicate = ComparisonForm::predicate(form.exists, values, numbers)?;
        Ok(Self(Comparison { target, predicate }))
    }
}

impl From<ComparisonBody> for ComparisonForm {
    fn from(ComparisonBody(Comparison { target, predicate }): ComparisonBody) -> Self {
        let mut form = match target {
            Target::Key(key) => {
                let BytesForm { text, base64 } = BytesForm::of_owned(&key);
                Self { key: text, key_base64: base64, ..Self::default() }
            }
            Target::Range(range) => {
                let BoundsForm { prefix: _, start, end } = BoundsForm::of(&range);
                Self {
                    start: start.text,
                    start_base64: start.base64,
                    end: end.text,
                    end_base64: end.base64,
                    ..Self::default()
                }
            }
        };
        form.set_predicate(predicate);
        form
    }
}
