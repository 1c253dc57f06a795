//! The OpenAPI document.

use std::collections::BTreeMap;

use quorate_api::{
    AddMemberBody, ChangesAnswer, ClusterStatus, CompactAnswer, CompactBody, CountAnswer, DeleteRangeAnswer,
    ErrorBody, ErrorCode, KeyAnswer, MembersAnswer, OpenSessionBody, PromoteMemberBody, RangeAnswer,
    ReplaceMemberBody, SessionAnswer, SettingsAnswer, SettingsBody, TransactionAnswer, TransactionBody,
    TransferAnswer, TransferBody, media,
};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{ResponseBuilder, ResponsesBuilder};
use utoipa::openapi::schema::{
    ComponentsBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required,
};

use super::operation::{Content, Kind, Method, Operation, Parameter, Place};
use super::operations::OPERATIONS;

/// The whole document.
pub(super) fn document() -> OpenApi {
    let paths = OPERATIONS.iter().fold(PathsBuilder::new(), |paths, operation| {
        let method = match operation.method {
            Method::Get => HttpMethod::Get,
            Method::Put => HttpMethod::Put,
            Method::Post => HttpMethod::Post,
            Method::Delete => HttpMethod::Delete,
        };
        paths.path(operation.path, PathItem::new(method, describe(operation)))
    });
    let info = InfoBuilder::new()
        .title("Quorate")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("A replicated key-value store. Numbers of 64 bits are strings of digits in JSON."))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components())).build()
}

fn components() -> utoipa::openapi::Components {
    let document = ObjectBuilder::new().schema_type(Type::Object).description(Some("An OpenAPI document."));
    let mut schemas = vec![("Document".to_owned(), RefOr::T(Schema::from(document)))];
    add::<KeyAnswer>(&mut schemas);
    add::<RangeAnswer>(&mut schemas);
    add::<CountAnswer>(&mut schemas);
    add::<DeleteRangeAnswer>(&mut schemas);
    add::<TransactionBody>(&mut schemas);
    add::<TransactionAnswer>(&mut schemas);
    add::<ChangesAnswer>(&mut schemas);
    add::<CompactBody>(&mut schemas);
    add::<CompactAnswer>(&mut schemas);
    add::<SettingsBody>(&mut schemas);
    add::<SettingsAnswer>(&mut schemas);
    add::<OpenSessionBody>(&mut schemas);
    add::<TransferBody>(&mut schemas);
    add::<TransferAnswer>(&mut schemas);
    add::<SessionAnswer>(&mut schemas);
    add::<ClusterStatus>(&mut schemas);
    add::<MembersAnswer>(&mut schemas);
    add::<AddMemberBody>(&mut schemas);
    add::<PromoteMemberBody>(&mut schemas);
    add::<ReplaceMemberBody>(&mut schemas);
    add::<ErrorBody>(&mut schemas);
    ComponentsBuilder::new().schemas_from_iter(schemas).build()
}

/// Adds a wire type, and those that it is made of.
fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

fn describe(operation: &Operation) -> OperationBuilder {
    let mut responses = ResponsesBuilder::new();
    for answer in operation.answers {
        let mut response = ResponseBuilder::new().description(answer.description);
        for name in answer.headers {
            response = response.header(*name, HeaderBuilder::new().schema(Some(text())).build());
        }
        if let Some(content) = answer.content {
            response =
                contents(content, operation.id).into_iter().fold(response, |response, (media, schema)| {
                    response.content(media, ContentBuilder::new().schema(Some(schema)).build())
                });
        }
        responses = responses.response(answer.status.to_string(), response);
    }
    for (status, codes) in by_status(&operation.all_errors()) {
        let names = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        let content = ContentBuilder::new().schema(Some(reference("ErrorBody"))).build();
        let response = ResponseBuilder::new().description(names).content(media::JSON, content);
        responses = responses.response(status.to_string(), response);
    }
    let mut described = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .summary(Some(operation.summary))
        .responses(responses.build());
    for parameter in operation.parameters {
        described = described.parameter(describe_parameter(parameter));
    }
    if let Some(body) = operation.body {
        let required = if body.required { Required::True } else { Required::False };
        let request = RequestBodyBuilder::new().required(Some(required));
        let request =
            contents(body.content, operation.id).into_iter().fold(request, |request, (media, schema)| {
                request.content(media, ContentBuilder::new().schema(Some(schema)).build())
            });
        described = described.request_body(Some(request.build()));
    }
    described
}

fn by_status(codes: &[ErrorCode]) -> BTreeMap<u16, Vec<ErrorCode>> {
    let mut statuses: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        statuses.entry(code.status()).or_default().push(*code);
    }
    statuses
}

/// The media types of a body, and what it is in each.
fn contents(content: Content, operation_id: &str) -> Vec<(&'static str, RefOr<Schema>)> {
    let raw = || {
        let bytes = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
        RefOr::T(Schema::from(bytes))
    };
    match content {
        Content::Raw => vec![(media::RAW, raw())],
        // The one operation whose query decides what is answered.
        Content::Json(schema) if operation_id == "listKeys" => {
            let either = OneOfBuilder::new().item(reference(schema)).item(reference("CountAnswer"));
            vec![(media::JSON, RefOr::T(Schema::from(either.build())))]
        }
        Content::Json(schema) => vec![(media::JSON, reference(schema))],
        Content::RawOrJson(schema) => vec![(media::RAW, raw()), (media::JSON, reference(schema))],
        Content::Text(media) => vec![(media, RefOr::T(text()))],
    }
}

fn reference(schema: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(schema))
}

fn text() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn describe_parameter(parameter: &Parameter) -> ParameterBuilder {
    let (place, required) = match parameter.place {
        Place::Path => (ParameterIn::Path, Required::True),
        Place::Query => (ParameterIn::Query, Required::False),
        Place::Header => (ParameterIn::Header, Required::False),
    };
    let string = || ObjectBuilder::new().schema_type(Type::String);
    let schema = match parameter.kind {
        Kind::Text => string(),
        Kind::Pattern(pattern) => string().pattern(Some(pattern)),
        Kind::Number => ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)),
        Kind::Positive => ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)),
        Kind::Flag => ObjectBuilder::new().schema_type(Type::Boolean),
        Kind::OneOf(names) => string().enum_values(Some(names.iter().copied())),
    };
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(place)
        .required(required)
        .description(Some(parameter.description))
        .schema(Some(schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    match (&name[..], value) {
                        ("$ref", serde_json::Value::String(target)) => found.push(target.clone()),
                        _ => references(value, found),
                    }
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = serde_json::to_value(document()).expect("can be written as JSON");
        assert_eq!(document["openapi"], "3.1.0");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for target in found {
            let pointer = target.strip_prefix('#').expect("a reference within the document");
            assert!(document.pointer(pointer).is_some(), "{target}");
        }
    }

    #[test]
    fn operations_have_names_and_errors_of_their_own() {
        for (index, operation) in OPERATIONS.iter().enumerate() {
            for other in &OPERATIONS[..index] {
                assert_ne!(operation.id, other.id);
            }
            let braces = operation.path.matches('{').count();
            let in_path =
                operation.parameters.iter().filter(|parameter| parameter.place == Place::Path).count();
            assert_eq!(braces, in_path, "{}", operation.path);
        }
        // Each code is the answer of some operation, but for those that no path of the document has.
        for code in ErrorCode::ALL {
            let documented = OPERATIONS.iter().any(|operation| operation.all_errors().contains(&code));
            assert_eq!(documented, code != ErrorCode::MethodNotAllowed, "{code}");
        }
    }
}
