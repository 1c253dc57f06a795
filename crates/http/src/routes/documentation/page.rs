//! The page about the API: one file, nothing else to be loaded.

use std::fmt::Write;

use quorate_api::ErrorCode;

use super::operation::{Content, Kind, Method, Operation, Parameter, Place};
use super::operations::OPERATIONS;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color:#1b1f24;background:#fff}code{font-family:ui-monospace,monospace;background:#f0f2f5;padding:0 .25em;\
    border-radius:3px}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;\
    padding:.3rem .6rem;border-bottom:1px solid #dde1e6}h2{margin-top:2.5rem}summary{cursor:pointer}\
    @media(prefers-color-scheme:dark){body{color:#e6e8eb;background:#14171a}code{background:#262b31}\
    td,th{border-color:#343a41}a{color:#7db7ff}}";

/// The page as HTML.
pub(super) fn page() -> String {
    let mut html = String::new();
    let mut add = |text: &str| html.push_str(text);
    add("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    add("<meta name=\"viewport\" content=\"width=device-width\">");
    add("<title>Quorate: the HTTP API</title><style>");
    add(STYLE);
    add("</style></head><body>\n<h1>Quorate: the HTTP API</h1>\n");
    add(
        "<p>For programs: <a href=\"/openapi.json\"><code>/openapi.json</code></a>. Numbers of 64 bits are strings ",
    );
    add(
        "of digits in JSON. Bytes that are text stand under their name, other bytes in base64 under their name ",
    );
    add(
        "with <code>_base64</code>. Every path that can be read answers <code>HEAD</code> too, and every path ",
    );
    add("<code>OPTIONS</code>.</p>\n<ul>\n");
    for operation in OPERATIONS {
        let (id, path, summary) = (operation.id, operation.path, inline(operation.summary));
        let method = method(operation.method);
        add(&format!("<li><a href=\"#{id}\"><code>{method} {path}</code></a> {summary}</li>\n"));
    }
    add("</ul>\n");
    for operation in OPERATIONS {
        add(&section(operation));
    }
    add(&errors());
    add("</body></html>\n");
    html
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Put => "PUT",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    }
}

fn section(operation: &Operation) -> String {
    let mut html = format!(
        "<h2 id=\"{}\"><code>{} {}</code></h2>\n<p>{}</p>\n",
        operation.id,
        method(operation.method),
        operation.path,
        inline(operation.summary)
    );
    let mut add = |text: String| html.push_str(&text);
    if !operation.parameters.is_empty() {
        add("<table><tr><th>Parameter</th><th></th><th>Meaning</th></tr>\n".to_owned());
        for parameter in operation.parameters {
            add(row(parameter));
        }
        add("</table>\n".to_owned());
    }
    if let Some(body) = operation.body {
        let optional = if body.required { "" } else { ", may be left out" };
        add(format!("<p>Body: {}{optional}.</p>\n", content(body.content)));
    }
    add("<p>Answers:</p>\n<ul>\n".to_owned());
    for answer in operation.answers {
        let body = answer.content.map(|body| format!(" Body: {}.", content(body))).unwrap_or_default();
        add(format!("<li>{} {}{body}</li>\n", answer.status, inline(answer.description)));
    }
    let codes = operation.all_errors();
    let codes = codes.iter().map(|code| format!("<a href=\"#{code}\"><code>{code}</code></a>"));
    add(format!("</ul>\n<p>Errors: {}.</p>\n", codes.collect::<Vec<_>>().join(", ")));
    html
}

fn row(parameter: &Parameter) -> String {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    let kind = match parameter.kind {
        Kind::Text => "text".to_owned(),
        Kind::Pattern(pattern) => format!("<code>{}</code>", escape(pattern)),
        Kind::Number => "whole number".to_owned(),
        Kind::Positive => "whole number, 1 or more".to_owned(),
        Kind::Flag => "<code>true</code> or <code>false</code>".to_owned(),
        Kind::OneOf(names) => {
            names.iter().map(|name| format!("<code>{name}</code>")).collect::<Vec<_>>().join(" or ")
        }
    };
    let (name, description) = (parameter.name, inline(parameter.description));
    format!("<tr><td><code>{name}</code></td><td>{place}, {kind}</td><td>{description}</td></tr>\n")
}

fn content(content: Content) -> String {
    match content {
        Content::Raw => "any bytes".to_owned(),
        Content::Json(schema) => format!("JSON, <code>{schema}</code>"),
        Content::RawOrJson(schema) => format!("any bytes, or JSON, <code>{schema}</code>"),
        Content::Text(media) => format!("<code>{media}</code>"),
    }
}

fn errors() -> String {
    let mut html = "<h2 id=\"errors\">Errors</h2>\n<p>The body is <code>{\"code\", \"message\"}</code>. What may be \
                    repeated has done nothing; whether a write with an unknown outcome has, only a read tells, \
                    or the same request again if it has an <code>Idempotency-Key</code>.</p>\n\
                    <table><tr><th>Code</th><th>Status</th><th></th></tr>\n"
        .to_owned();
    for code in ErrorCode::ALL {
        let what = match (code.is_retryable(), code.outcome_unknown()) {
            (true, _) => "may be repeated",
            (_, true) => "outcome unknown",
            _ => "",
        };
        let status = code.status();
        writeln!(html, "<tr id=\"{code}\"><td><code>{code}</code></td><td>{status}</td><td>{what}</td></tr>")
            .expect("a string takes text");
    }
    html.push_str("</table>\n");
    html
}

/// Text with code in backticks.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        match index % 2 {
            0 => html.push_str(&escape(part)),
            _ => write!(html, "<code>{}</code>", escape(part)).expect("a string takes text"),
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone() {
        let page = page();
        for outside in ["http://", "https://", "src=", "@import", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        for operation in OPERATIONS {
            assert!(page.contains(&format!("<h2 id=\"{}\">", operation.id)));
        }
        assert_eq!(page.matches("<table>").count(), page.matches("</table>").count());
        assert_eq!(inline("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
    }
}
