//! As much of JSON Schema as the OpenAPI document uses: values that follow a schema, and whether one does.

use serde_json::{Map, Value, json};

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // Steele, Lea, Flood: SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// A text: often a key that exists, sometimes anything.
    pub(crate) fn text(&mut self) -> String {
        const LETTERS: [char; 16] = [
            'a',
            'b',
            'c',
            '/',
            '%',
            '"',
            '\\',
            '0',
            '9',
            ':',
            ' ',
            '{',
            '\u{0}',
            '\u{7f}',
            'ü',
            '\u{1f980}',
        ];
        if self.one_in(2) {
            return ["a", "b", "1", "1:1", "*", "\"1\""][self.below(6) as usize].to_owned();
        }
        (0..self.below(8)).map(|_| LETTERS[self.below(16) as usize]).collect()
    }

    fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => u64::MAX - self.below(3),
            1 => self.below(1 << 40),
            _ => self.below(5),
        }
    }
}

/// What a schema refers to, or the schema itself.
fn resolve<'document>(document: &'document Value, schema: &'document Value) -> &'document Value {
    let Some(reference) = schema["$ref"].as_str() else { return schema };
    let pointer = reference.strip_prefix('#').expect("a reference within the document");
    document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// The types that a schema allows.
fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn list<'schema>(schema: &'schema Value, name: &str) -> &'schema [Value] {
    schema[name].as_array().map_or(&[], |list| list)
}

/// A value that follows the schema.
pub(crate) fn generate(dice: &mut Dice, document: &Value, schema: &Value, depth: u64) -> Value {
    let schema = resolve(document, schema);
    let one_of = list(schema, "oneOf");
    if !one_of.is_empty() {
        let form = &one_of[dice.below(one_of.len() as u64) as usize];
        return generate(dice, document, form, depth);
    }
    let values = list(schema, "enum");
    if !values.is_empty() {
        return values[dice.below(values.len() as u64) as usize].clone();
    }
    let types = types(schema);
    assert!(!types.is_empty(), "{schema} has no type");
    match types[dice.below(types.len() as u64) as usize] {
        "null" => Value::Null,
        "boolean" => json!(dice.one_in(2)),
        "integer" => json!(dice.number().max(schema["minimum"].as_u64().unwrap_or(0))),
        "string" => Value::String(text(dice, schema)),
        "array" => {
            let length = if depth > 5 { 0 } else { dice.below(4) };
            (0..length).map(|_| generate(dice, document, &schema["items"], depth + 1)).collect()
        }
        "object" => Value::Object(object(dice, document, schema, depth)),
        other => panic!("{other} is not a type that the document should use"),
    }
}

fn text(dice: &mut Dice, schema: &Value) -> String {
    match schema["pattern"].as_str() {
        None => dice.text(),
        Some("^[0-9]+$") => dice.number().to_string(),
        Some("^[0-9]+:[0-9]+$") => format!("{}:{}", dice.below(3), dice.below(6)),
        Some("^[0-9]+(ms|s|m)$") => "5s".to_owned(),
        Some(other) => panic!("there is nothing that makes {other}"),
    }
}

fn object(dice: &mut Dice, document: &Value, schema: &Value, depth: u64) -> Map<String, Value> {
    let mut object = Map::new();
    let required = list(schema, "required");
    let properties: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    // Many of our objects are to have exactly one of their properties.
    let only = (!properties.is_empty() && !dice.one_in(3)).then(|| dice.below(properties.len() as u64));
    for (index, (name, property)) in properties.iter().enumerate() {
        let wanted = match only {
            Some(only) if required.is_empty() => only == index as u64,
            _ => required.contains(&json!(name)) || dice.one_in(3),
        };
        if wanted {
            object.insert((*name).clone(), generate(dice, document, property, depth + 1));
        }
    }
    if schema["additionalProperties"].is_object() {
        let names = ["sessions_max", "delete_range_keys_max", "quota_warn_percent", "no_such_setting"];
        for _ in 0..dice.below(3) {
            let name = names[dice.below(names.len() as u64) as usize];
            object.insert(
                name.to_owned(),
                generate(dice, document, &schema["additionalProperties"], depth + 1),
            );
        }
    }
    object
}

/// Whether a value follows the schema.
pub(crate) fn validate(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolve(document, schema);
    let one_of = list(schema, "oneOf");
    if !one_of.is_empty() {
        let fitting = one_of.iter().filter(|schema| validate(document, schema, value).is_ok()).count();
        return if fitting == 1 { Ok(()) } else { Err(format!("{value} fits {fitting} of the forms")) };
    }
    for schema in list(schema, "allOf") {
        validate(document, schema, value)?;
    }
    let values = list(schema, "enum");
    if !values.is_empty() && !values.contains(value) {
        return Err(format!("{value} is none of {values:?}"));
    }
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = types(schema);
    if !types.is_empty() && !types.contains(&found) {
        return Err(format!("{value} is not of type {types:?}"));
    }
    match value {
        Value::String(text) if schema["pattern"] == "^[0-9]+$" => {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { Ok(()) } else { Err(format!("{text:?} is not digits")) }
        }
        Value::Array(items) => items.iter().try_for_each(|item| validate(document, &schema["items"], item)),
        Value::Object(fields) => validate_fields(document, schema, fields),
        _ => Ok(()),
    }
}

fn validate_fields(document: &Value, schema: &Value, fields: &Map<String, Value>) -> Result<(), String> {
    for name in list(schema, "required") {
        let name = name.as_str().expect("a name");
        if !fields.contains_key(name) {
            return Err(format!("{name} is missing"));
        }
    }
    for (name, value) in fields {
        match schema["properties"].get(name) {
            Some(property) => {
                validate(document, property, value).map_err(|wrong| format!("{name}: {wrong}"))?
            }
            None if schema["additionalProperties"] == json!(false) => {
                return Err(format!("{name} is not in the schema"));
            }
            None => {}
        }
    }
    Ok(())
}

#[test]
fn wrong_values_are_told_from_right_ones() {
    let document = json!({"components": {"n": {"type": "string", "pattern": "^[0-9]+$"}}});
    let schema = json!({
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"$ref": "#/components/n"}, "b": {"type": ["integer", "null"]}},
        "additionalProperties": false
    });
    for (value, is_right) in [
        (json!({"a": "1"}), true),
        (json!({"a": "1", "b": null}), true),
        (json!({"a": 1}), false),
        (json!({"a": "x"}), false),
        (json!({"b": 1}), false),
        (json!({"a": "1", "b": "2"}), false),
        (json!({"a": "1", "c": 1}), false),
        (json!([]), false),
    ] {
        assert_eq!(validate(&document, &schema, &value).is_ok(), is_right, "{value}");
    }
}
