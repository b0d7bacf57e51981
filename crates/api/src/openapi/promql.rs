//! Prometheus' own routes, whose errors have its shape.

use serde_json::{Map, Value, json};

/// A route below `/api/v1`.
struct Route {
    path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    /// Whether it takes its parameters as a form, too.
    form: bool,
}

const fn route(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    form: bool,
) -> Route {
    Route { path, summary, parameters, form }
}

const SELECTION: &[&str] = &["match[]", "start", "end"];

const ROUTES: [Route; 7] = [
    route(
        "/api/v1/query",
        "A PromQL query at one time, now by default",
        &["query", "time", "timeout"],
        true,
    ),
    route(
        "/api/v1/query_range",
        "A PromQL query over a range of times",
        &["query", "start", "end", "step", "timeout"],
        true,
    ),
    route("/api/v1/series", "The labels of the series that selectors meet", SELECTION, true),
    route("/api/v1/labels", "The names of labels", SELECTION, true),
    route("/api/v1/label/{name}/values", "The values of a label", SELECTION, false),
    route("/api/v1/metadata", "Types, helps and units of metrics", &[], false),
    route("/api/v1/status/buildinfo", "The program and its version", &[], false),
];

/// Adds the routes to `paths`.
pub(super) fn add(paths: &mut Map<String, Value>) {
    for route in &ROUTES {
        let mut parameters: Vec<Value> = route.parameters.iter().map(|n| parameter(n)).collect();
        if route.path.contains("{name}") {
            let schema = json!({ "type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$" });
            parameters.push(json!({ "name": "name", "in": "path", "required": true,
                "description": "The label", "schema": schema }));
        }
        let mut methods = json!({ "get": described(route, "get", &parameters) });
        if route.form {
            let mut post = described(route, "post", &parameters);
            let schema = json!({ "type": "object", "additionalProperties": { "type": "string" } });
            post["requestBody"] = json!({ "required": false, "content":
                { "application/x-www-form-urlencoded": { "schema": schema } } });
            methods["post"] = post;
        }
        paths.insert(route.path.to_owned(), methods);
    }
    paths.insert("/api/v1/write".to_owned(), json!({ "post": write() }));
}

fn described(route: &Route, method: &str, parameters: &[Value]) -> Value {
    let answer = |description: &str, schema: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        json!({ "description": description,
            "content": { "application/json": { "schema": schema } } })
    };
    json!({
        "operationId": id(method, route.path),
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": answer("The answer", "PromqlAnswer"),
            "400": answer("What was asked cannot be read", "PromqlError"),
            "422": answer("It has no meaning for these data, or asks for too much", "PromqlError"),
            "502": answer("The server of series.prometheus_url does not let us ask", "PromqlError"),
            "503": answer("It took too long, or nobody answers", "PromqlError"),
            "401": problem(),
            "403": problem(),
            "429": problem(),
            "500": problem(),
        },
    })
}

fn write() -> Value {
    let mut responses = json!({ "204": { "description": "All samples were taken" } });
    for status in ["400", "401", "403", "404", "413", "415", "429", "500", "503"] {
        responses[status] = problem();
    }
    let body = json!({ "type": "string", "format": "binary" });
    json!({
        "operationId": id("post", "/api/v1/write"),
        "summary": "Prometheus' remote write of version 1, where series.remote_write_receiver is on",
        "requestBody": { "required": true, "content":
            { "application/x-protobuf": { "schema": body } } },
        "responses": responses,
    })
}

fn problem() -> Value {
    json!({ "description": "A problem", "content": { "application/problem+json":
        { "schema": { "$ref": "#/components/schemas/Problem" } } } })
}

fn id(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{method}_{}", words.join("_"))
}

fn parameter(name: &str) -> Value {
    let text = json!({ "type": "string" });
    let time = json!({ "type": "string", "examples": ["1767225600", "2026-01-01T00:00:00Z"] });
    let length = json!({ "type": "string", "examples": ["15", "1m30s"] });
    let (schema, about) = match name {
        "query" => (text, "The query, up to 16 KiB"),
        "match[]" => (json!({ "type": "array", "items": text }), "A selector; several are joined"),
        "step" => (length, "The time between two answers"),
        "timeout" => (length, "At most 9s, which is the default"),
        "time" => (time, "When; now by default"),
        "start" => (time, "From this time on"),
        _ => (time, "Up to this time"),
    };
    json!({ "name": name, "in": "query", "required": false, "description": about, "schema": schema })
}

/// The schemas of the routes.
pub(super) fn schemas() -> Value {
    let kinds = ["bad_data", "execution", "timeout", "canceled", "unavailable"];
    json!({
        "PromqlAnswer": {
            "type": "object",
            "properties": { "status": { "const": "success" }, "data": {} },
            "required": ["status", "data"],
        },
        "PromqlError": {
            "type": "object",
            "properties": {
                "status": { "const": "error" },
                "errorType": { "type": "string", "examples": kinds },
                "error": { "type": "string" },
            },
            "required": ["status", "errorType", "error"],
        },
    })
}
