//! The OpenAPI document against the server: whatever is sent, the answer is one that the document has.

use serde_json::{Map, Value, json};

use crate::harness::{Answer, Server};
use crate::schema::{Dice, generate, validate};

/// Requests for each operation.
const ROUNDS: u64 = 150;

async fn document(server: &Server) -> Value {
    server.ask("GET /openapi.json").await.json()
}

/// Every operation of the document: its path, its method in capitals, and what it says of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("a path item") {
            operations.push((path.clone(), method.to_uppercase(), operation.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn the_document_has_every_path_and_method_that_the_server_has() {
    let server = Server::start().await;
    let document = document(&server).await;
    let mut allowed: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for (path, method, _) in operations(&document) {
        allowed.entry(path).or_default().push(method);
    }
    assert_eq!(allowed.len(), 19);
    for (path, methods) in allowed {
        let answer = server.ask(&format!("OPTIONS {}", path.replace(['{', '}'], ""))).await;
        let mut found: Vec<&str> = answer.header("allow").expect("a list of methods").split(", ").collect();
        found.retain(|method| !["HEAD", "OPTIONS"].contains(method));
        found.sort_unstable();
        let mut methods = methods;
        methods.sort_unstable();
        assert_eq!(found, methods, "{path}");
    }
    let page = server.ask("GET /docs").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("POST /v1/txn"));
}

#[tokio::test]
async fn any_request_gets_an_answer_that_the_document_has() {
    let document = document(&Server::start().await).await;
    for (index, (path, method, operation)) in operations(&document).into_iter().enumerate() {
        let server = Server::start().await;
        server.ask("POST /v1/sessions").await;
        server.ask("PUT /v1/kv/a\n\n1").await;
        server.ask("PUT /v1/kv/b\n\n2").await;
        let mut dice = Dice::new(index as u64);
        let mut statuses = std::collections::BTreeMap::new();
        for _ in 0..ROUNDS {
            let request = request(&mut dice, &document, &path, &method, &operation);
            let answer = server.ask(&request).await;
            *statuses.entry(answer.status).or_insert(0) += 1;
            if let Err(wrong) = check(&document, &operation, &answer) {
                panic!("{wrong}\nthe answer to {request:?} is {}", answer.transcript());
            }
        }
        let good: u64 = statuses.range(200..400).map(|(_, count)| count).sum();
        assert!(good > 0, "{method} {path} was never asked what it can answer: {statuses:?}");
    }
}

/// A request that follows the document, mostly.
fn request(dice: &mut Dice, document: &Value, path: &str, method: &str, operation: &Value) -> String {
    let mut target = path.to_owned();
    let mut query = Vec::new();
    let mut headers = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().expect("a name");
        let value = match dice.one_in(12) {
            true => dice.text(),
            false => plain(&generate(dice, document, &parameter["schema"], 0)),
        };
        match parameter["in"].as_str() {
            Some("path") => target = target.replace(&format!("{{{name}}}"), &percent(&value)),
            Some("query") if dice.one_in(6) => query.push(format!("{name}={}", percent(&value))),
            Some("header") if dice.one_in(8) => headers.push(format!("{name}: {}", header(&value))),
            Some("query" | "header") => {}
            other => panic!("{name} stands in {other:?}"),
        }
    }
    // Most range deletes lack bounds otherwise, and most sessions do not exist.
    if operation["operationId"] == "deleteKeys" && dice.one_in(2) {
        query = vec![format!("prefix={}", percent(&dice.text()))];
    }
    if operation["operationId"] == "keepSession" && dice.one_in(2) {
        target = "/v1/sessions/1".to_owned();
    }
    if operation["operationId"] == "closeSession" && dice.one_in(20) {
        target = "/v1/sessions/1".to_owned();
    }
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    let body = body(dice, document, operation);
    let headers: String = headers.into_iter().map(|line| format!("{line}\n")).collect();
    format!("{method} {target}\n{headers}\n{body}")
}

fn body(dice: &mut Dice, document: &Value, operation: &Value) -> String {
    let Some(content) = operation.pointer("/requestBody/content") else {
        return if dice.one_in(30) { "unasked".to_owned() } else { String::new() };
    };
    let Some(schema) = content.pointer("/application~1json/schema") else { return dice.text() };
    let json = generate(dice, document, schema, 0).to_string();
    match dice.below(12) {
        0 => dice.text().replace('\n', " "),
        1 => json[..dice.below(json.len() as u64 + 1) as usize].to_owned(),
        2 => json.replacen(':', ":null,\"x\":", 1),
        _ => json,
    }
}

/// A generated value as text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn percent(text: &str) -> String {
    quorate_api::key::encode_key(text.as_bytes())
}

fn header(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_graphic()).collect()
}

/// Whether the document has this answer.
fn check(document: &Value, operation: &Value, answer: &Answer) -> Result<(), String> {
    if answer.status >= 500 {
        return Err("a failure of the server".to_owned());
    }
    let Some(described) = operation["responses"].get(answer.status.to_string()) else {
        return Err(format!("the document has no status {}", answer.status));
    };
    let empty = json!({});
    let content = described.get("content").unwrap_or(&empty).as_object().expect("media types");
    check_body(document, content, answer)?;
    if answer.status < 400 {
        return Ok(());
    }
    let code = answer.json::<Value>()["code"].as_str().expect("a code").to_owned();
    match described["description"].as_str().expect("a description").contains(&format!("`{code}`")) {
        true => Ok(()),
        false => Err(format!("the document does not list {code} for status {}", answer.status)),
    }
}

fn check_body(document: &Value, content: &Map<String, Value>, answer: &Answer) -> Result<(), String> {
    let Some(media) = answer.header("content-type") else {
        return match answer.body.is_empty() {
            true => Ok(()),
            false => Err("a body without a type".to_owned()),
        };
    };
    let Some(described) = content.get(media) else {
        return Err(format!("the document has no {media} there"));
    };
    match media {
        "application/json" => validate(document, &described["schema"], &answer.json()),
        _ => Ok(()),
    }
}
