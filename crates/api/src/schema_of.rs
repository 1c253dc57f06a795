//! Descriptions of types whose JSON is that of another one, or their own.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::decimal::lenient::Number;
use crate::{Item, KeyAnswer, SettingsBody};

/// Describes a type as the form that it is written and read in.
macro_rules! schema_of {
    ($type:ty, $form:ty) => {
        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                <$form as utoipa::PartialSchema>::schema()
            }
        }

        impl utoipa::ToSchema for $type {
            fn name() -> std::borrow::Cow<'static, str> {
                <$form as utoipa::ToSchema>::name()
            }

            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
                <$form as utoipa::ToSchema>::schemas(schemas);
            }
        }
    };
}
pub(crate) use schema_of;

fn digits() -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]+$")).build()
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        OneOfBuilder::new()
            .item(digits())
            .item(number)
            .description(Some("A whole number of 64 bits, as a string of digits or as a number."))
            .into()
    }
}

impl ToSchema for Number {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Number")
    }
}

impl PartialSchema for SettingsBody {
    fn schema() -> RefOr<Schema> {
        let number = RefOr::Ref(Ref::from_schema_name(Number::name()));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::from(number)))
            .description(Some("Names of settings, and the values that they are to have."))
            .into()
    }
}

impl ToSchema for SettingsBody {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SettingsBody")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Number::name().into_owned(), Number::schema()));
    }
}

impl PartialSchema for KeyAnswer {
    fn schema() -> RefOr<Schema> {
        let revision = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .property("revision", digits())
            .required("revision");
        AllOfBuilder::new()
            .item(RefOr::<Schema>::Ref(Ref::from_schema_name(Item::name())))
            .item(revision)
            .description(Some("A key, and the store's revision that the answer reflects."))
            .into()
    }
}

impl ToSchema for KeyAnswer {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("KeyAnswer")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Item::name().into_owned(), Item::schema()));
        Item::schemas(schemas);
    }
}
