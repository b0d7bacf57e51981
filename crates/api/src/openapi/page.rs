//! The document as a page for people, without a script and with nothing from elsewhere.

use std::fmt::{self, Write as _};

use serde_json::Value;

/// The page of a document.
pub(super) fn page(document: &Value) -> Result<String, fmt::Error> {
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Hanabi: API</title>\
         <link rel=\"stylesheet\" href=\"/api/docs.css\"></head><body><main>\n\
         <h1>Hanabi: API</h1>\n<p>",
    );
    escape(&mut html, text(&document["info"]["description"]))?;
    html.push_str(" The same for programs: <a href=\"/api/openapi.json\">openapi.json</a>.</p>\n");
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            route(&mut html, document, (method, path), operation)?;
        }
    }
    html.push_str("</main></body></html>\n");
    Ok(html)
}

fn route(
    html: &mut String,
    document: &Value,
    (method, path): (&str, &str),
    operation: &Value,
) -> fmt::Result {
    html.push_str("<details><summary><code>");
    escape(html, &format!("{} {path}", method.to_uppercase()))?;
    html.push_str("</code> ");
    escape(html, text(&operation["summary"]))?;
    html.push_str("</summary>\n");
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        html.push_str("<table><tr><th>parameter</th><th>in</th><th>value</th><th></th></tr>\n");
    }
    for parameter in parameters {
        html.push_str("<tr><td><code>");
        escape(html, text(&parameter["name"]))?;
        write!(html, "</code></td><td>{}</td><td>", text(&parameter["in"]))?;
        escape(html, &value_of(&parameter["schema"]))?;
        html.push_str("</td><td>");
        escape(html, text(&parameter["description"]))?;
        html.push_str("</td></tr>\n");
    }
    if !parameters.is_empty() {
        html.push_str("</table>\n");
    }
    for (media, body) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        html.push_str("<p>Takes <code>");
        escape(html, media)?;
        html.push_str("</code></p>\n");
        schema(html, document, &body["schema"])?;
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if status.starts_with('2') {
            for (media, body) in response["content"].as_object().into_iter().flatten() {
                write!(html, "<p>{status}: <code>")?;
                escape(html, media)?;
                html.push_str("</code></p>\n");
                schema(html, document, &body["schema"])?;
            }
        }
    }
    html.push_str("</details>\n");
    Ok(())
}

fn schema(html: &mut String, document: &Value, schema: &Value) -> fmt::Result {
    let named = schema["$ref"].as_str().map(|name| name.trim_start_matches('#'));
    let schema = named.and_then(|name| document.pointer(name)).unwrap_or(schema);
    let Ok(shown) = serde_json::to_string_pretty(schema) else { return Ok(()) };
    html.push_str("<pre>");
    escape(html, &shown)?;
    html.push_str("</pre>\n");
    Ok(())
}

/// What a parameter may be, in a line.
fn value_of(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(text).collect::<Vec<_>>().join(", ");
    }
    let kind = text(&schema["type"]);
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        (Some(least), None) => format!("{kind} from {least} on"),
        _ => kind.to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escape(html: &mut String, text: &str) -> fmt::Result {
    for character in text.chars() {
        match character {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            '"' => html.push_str("&quot;"),
            other => html.write_char(other)?,
        }
    }
    Ok(())
}
