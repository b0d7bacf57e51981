//! The document and the router say the same.

use serde_json::Value;

use crate::client::{get, request};
use crate::world::{Setup, WEB, World};

#[tokio::test]
async fn every_documented_operation_exists_and_answers_as_documented() {
    let world = World::start(Setup::default()).await;
    world.fill();
    let document = get(world.addr, "/api/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, operations) in document["paths"].as_object().unwrap() {
        if path.starts_with("/api/stream") {
            continue;
        }
        for (method, operation) in operations.as_object().unwrap() {
            let target = path.replace("{id}", WEB).replace("{item}", "k1");
            let answer = request(world.addr, &method.to_uppercase(), &target, &[], b"").await;
            let documented = operation["responses"].get(answer.status.to_string());
            assert!(documented.is_some(), "{method} {path} answered {}", answer.status);
            assert_ne!(answer.status, 405, "{method} {path}");
            if answer.status >= 400 {
                let kind = answer.json()["type"].clone();
                assert_ne!(kind, "urn:hanabi:problem:no_route", "{method} {path}");
            }
            if answer.status == 200 && answer.header("content-type") == "application/json" {
                required_fields(&document, operation, &answer.json(), path);
            }
        }
    }
}

pub(crate) fn required_fields(document: &Value, operation: &Value, body: &Value, path: &str) {
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    conforms(document, schema, body, path);
}

/// A value is what its schema says, has all that it requires, and nothing that it does not name.
fn conforms(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.trim_start_matches('#')).expect(name);
        return conforms(document, schema, value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        if !value.is_null() {
            conforms(document, &choices[0], value, at);
        }
        return;
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Value::Number(_) => "number",
    };
    let fits = types.contains(&is) || is == "integer" && types.contains(&"number");
    assert!(types.is_empty() || fits, "{at} is {is}, not {types:?}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at} is {value}");
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(document, &schema["items"], item, &format!("{at}[]"));
    }
    let Some(fields) = value.as_object() else { return };
    for field in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(field.as_str().unwrap()).is_some(), "{at} has no {field}");
    }
    for (name, field) in fields {
        let named = schema["properties"].get(name);
        let of = named.or_else(|| schema.get("additionalProperties")).filter(|s| s.is_object());
        let open = schema["additionalProperties"] == true || schema["properties"].is_null();
        assert!(of.is_some() || open, "{at} has {name}, which the document does not");
        if let Some(of) = of {
            conforms(document, of, field, &format!("{at}/{name}"));
        }
    }
}

#[tokio::test]
async fn every_parameter_is_known_to_its_route() {
    let world = World::start(Setup::default()).await;
    world.fill();
    let document = get(world.addr, "/api/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("get") else { continue };
        // Prometheus' routes ignore what they do not know, as they do there.
        if path.starts_with("/api/v1/") {
            continue;
        }
        for parameter in operation["parameters"].as_array().unwrap() {
            if parameter["in"] != "query" {
                continue;
            }
            // No parameter takes this value twice, and a route that does not know it says so.
            let name = parameter["name"].as_str().unwrap();
            let target = format!("{}?{name}=a&{name}=b", path.replace("{id}", "db"));
            let answer = get(world.addr, &target).await;
            assert_eq!(answer.status, 400, "{target}");
            assert_eq!(answer.json()["type"], "urn:hanabi:problem:bad_parameter", "{target}");
        }
    }
}

#[tokio::test]
async fn the_page_shows_every_route_and_loads_nothing_from_elsewhere() {
    let world = World::start(Setup::default()).await;
    world.fill();
    let document = get(world.addr, "/api/openapi.json").await.json();
    let page = get(world.addr, "/api/docs").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let page = page.text();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let shown = format!("<code>{} {path}</code>", method.to_uppercase());
            assert!(page.contains(&shown), "{shown}");
        }
    }
    for elsewhere in ["http://", "https://", "<script", "style=", "src="] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}
