//! Prometheus' own HTTP API, over the service's series: `/api/v1/…`, in its shape, its errors too.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/>. Parameters come in the query
//! or, as Grafana sends them, in the body of a form. Those that are not known are ignored, as there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Form, FromRequest, Path, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hanabi_series::{
    Answer, Edges, Engine, Labels, Matcher, Options, QueryError, Upstream, metric, selector,
};
use serde_json::{Value, json};

use crate::app::{AppParts, AppState};
use crate::auth::{Caller, SeenSeries};
use crate::cache::PROMQL_FRESH;
use crate::pressure::Expensive;
use crate::room::{Room, forwarded};
use crate::times;

/// A query takes at most this long; less where it asks for less.
pub const QUERY_TIME: Duration = Duration::from_secs(9);
/// The longest query: longer than any that people write.
const QUERY_BYTES: usize = 16 << 10;

/// The parameters of a request, from wherever they come.
pub(crate) struct Given(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Given {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bad = |text: String| failure(&QueryError::BadData(text));
        let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
        let mut all = query.map_err(|error| bad(error.body_text()))?.0;
        if request.method() == Method::POST {
            let form = Form::<Vec<(String, String)>>::from_request(request, state).await;
            all.extend(form.map_err(|error| bad(error.body_text()))?.0);
        }
        Ok(Self(all))
    }
}

impl Given {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn query(&self) -> Result<String, QueryError> {
        let query = self.text("query").unwrap_or_default();
        if query.len() > QUERY_BYTES {
            let why = format!("a query can have at most {QUERY_BYTES} bytes");
            return Err(QueryError::BadData(why));
        }
        Ok(query.to_owned())
    }

    /// Seconds since 1970 or RFC 3339, as ms.
    fn time(&self, name: &str) -> Result<Option<i64>, QueryError> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        hanabi_series::time(text).map(Some).ok_or_else(|| {
            let why = format!(
                "invalid parameter \"{name}\": cannot parse \"{text}\" to a valid timestamp"
            );
            QueryError::BadData(why)
        })
    }

    fn needed(&self, name: &str) -> Result<i64, QueryError> {
        let missing =
            || QueryError::BadData(format!("invalid parameter \"{name}\": it is missing"));
        self.time(name)?.ok_or_else(missing)
    }

    /// Seconds, or a number with a unit, as ms.
    fn length(&self, name: &str) -> Result<Option<i64>, QueryError> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        hanabi_series::length(text).map(Some).ok_or_else(|| {
            let why = format!(
                "invalid parameter \"{name}\": cannot parse \"{text}\" to a valid duration"
            );
            QueryError::BadData(why)
        })
    }

    /// The selectors of `match[]`; a series has to meet one of them.
    fn selectors(&self) -> Result<Vec<Vec<Matcher>>, QueryError> {
        self.0.iter().filter(|(name, _)| name == "match[]").map(|(_, s)| selector(s)).collect()
    }
}

/// `/api/v1/query`.
pub(crate) async fn query(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut given: Given,
) -> Response {
    if given.text("time").is_none_or(str::is_empty) {
        // All who ask for the present within a moment ask the same.
        given.0.push(("time".to_owned(), format!("{}", present() / 1_000)));
    }
    answer(&state, &caller, "query".to_owned(), given, |series, given, edges| {
        let time = given.needed("time")?;
        evaluate(series, edges, limit(given)?, |engine| engine.instant(&given.query()?, time))
    })
    .await
}

/// `/api/v1/query_range`.
pub(crate) async fn query_range(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    given: Given,
) -> Response {
    if let Err(refused) = state.afford(Expensive::Range) {
        return refused.into_response();
    }
    answer(&state, &caller, "query_range".to_owned(), given, |series, given, edges| {
        let (from, to) = (given.needed("start")?, given.needed("end")?);
        let missing =
            || QueryError::BadData("invalid parameter \"step\": it is missing".to_owned());
        let step = given.length("step")?.ok_or_else(missing)?;
        evaluate(series, edges, limit(given)?, |engine| {
            engine.range(&given.query()?, from, to, step)
        })
    })
    .await
}

/// `/api/v1/series`: the labels of the series that `match[]` selects.
pub(crate) async fn series(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    given: Given,
) -> Response {
    answer(&state, &caller, "series".to_owned(), given, |series, given, _| {
        if given.selectors()?.is_empty() {
            let why = "no match[] parameter provided".to_owned();
            return Err(QueryError::BadData(why));
        }
        Ok(selected(series, given)?.iter().map(metric).collect())
    })
    .await
}

/// `/api/v1/labels`.
pub(crate) async fn labels(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    given: Given,
) -> Response {
    answer(&state, &caller, "labels".to_owned(), given, |series, given, _| {
        let names: BTreeSet<String> = selected(series, given)?
            .iter()
            .flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned()))
            .collect();
        Ok(json!(names))
    })
    .await
}

/// `/api/v1/label/{name}/values`.
pub(crate) async fn label_values(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(name): Path<String>,
    given: Given,
) -> Response {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(letters) || name.starts_with(|c: char| c.is_numeric()) {
        return failure(&QueryError::BadData(format!("invalid label name: {name:?}")));
    }
    let path = format!("label/{name}/values");
    answer(&state, &caller, path, given, move |series, given, _| {
        let values: BTreeSet<String> = selected(series, given)?
            .iter()
            .map(|labels| labels.get(&name).to_owned())
            .filter(|value| !value.is_empty())
            .collect();
        Ok(json!(values))
    })
    .await
}

/// `/api/v1/metadata`: types, helps and units; of our own series those of the table of metrics.
pub(crate) async fn metadata(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    given: Given,
) -> Response {
    answer(&state, &caller, "metadata".to_owned(), given, |_, _, _| {
        let one = |definition: &hanabi_telemetry::Definition| {
            let about = json!([{ "type": definition.kind.as_str(), "help": definition.help,
                "unit": definition.unit.as_str() }]);
            (definition.name.to_owned(), about)
        };
        Ok(Value::Object(hanabi_telemetry::definitions().map(one).collect()))
    })
    .await
}

/// `/api/v1/status/buildinfo`.
pub(crate) async fn buildinfo() -> Response {
    success(&json!({ "application": "hanabi", "version": env!("CARGO_PKG_VERSION"), "revision": "",
        "branch": "", "buildUser": "", "buildDate": "", "goVersion": "" }))
}

/// The labels of the series that one of the selectors meets, or of all, in the time asked for.
fn selected(series: &SeenSeries<'_>, given: &Given) -> Result<BTreeSet<Labels>, QueryError> {
    let (start, end) = (given.time("start")?, given.time("end")?);
    let mut selectors = given.selectors()?;
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let span = (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
    let span = start.or(end).map(|_| span);
    let mut all = BTreeSet::new();
    for selector in &selectors {
        all.extend(series.labels(selector, span)?);
    }
    Ok(all)
}

fn limit(given: &Given) -> Result<Duration, QueryError> {
    let asked = given.length("timeout")?.and_then(|ms| u64::try_from(ms).ok());
    Ok(asked.map_or(QUERY_TIME, |ms| Duration::from_millis(ms).min(QUERY_TIME)))
}

fn evaluate(
    series: &SeenSeries<'_>,
    edges: Edges,
    time: Duration,
    ask: impl FnOnce(&Engine<'_>) -> Result<Answer, QueryError>,
) -> Result<Value, QueryError> {
    let end = Instant::now() + time;
    let interrupted = || (Instant::now() > end).then_some(QueryError::Timeout);
    let options = Options { edges, ..Options::default() };
    let engine = Engine::new(series, options, &interrupted);
    ask(&engine).map(|answer| answer.to_json())
}

/// The answer of whichever room is there, at most [`PROMQL_FRESH`] old.
async fn answer(
    state: &Arc<AppState>,
    caller: &Caller,
    path: String,
    given: Given,
    work: impl FnOnce(&SeenSeries<'_>, &Given, Edges) -> Result<Value, QueryError> + Send + 'static,
) -> Response {
    if let Err(error) = given.query() {
        return failure(&error);
    }
    let scope = caller.scope().clone();
    let key = format!("{path} {} {:?}", scope.key(), given.0);
    let make = state.blocking(move |parts: &AppParts| {
        Ok(match &parts.room {
            Room::Embedded(series, edges) => {
                let seen = SeenSeries::new(series, &scope);
                match seen.and_then(|seen| work(&seen, &given, *edges)) {
                    Ok(data) => success(&data),
                    Err(error) => failure(&error),
                }
            }
            Room::Prometheus(server) => {
                match scope.parameters(&given.0, path.starts_with("label")) {
                    Ok(parameters) => forward(server, &path, &parameters),
                    Err(error) => failure(&error),
                }
            }
        })
    });
    state.promql.answer(key, make).await
}

fn forward(server: &Upstream, path: &str, parameters: &[(String, String)]) -> Response {
    let line = path.starts_with("label/") || path == "metadata";
    let path = format!("/api/v1/{path}");
    let asked =
        if line { server.ask(&path, parameters) } else { server.ask_by_form(&path, parameters) };
    match asked {
        Ok(reply) => forwarded(reply),
        Err(error) => {
            let why = format!("{error}; it is series.prometheus_url of the configuration");
            failure(&QueryError::Unavailable(why))
        }
    }
}

fn success(data: &Value) -> Response {
    Json(json!({ "status": "success", "data": data })).into_response()
}

fn failure(error: &QueryError) -> Response {
    let status = match error {
        QueryError::BadData(_) => StatusCode::BAD_REQUEST,
        QueryError::Execution(_) => StatusCode::UNPROCESSABLE_ENTITY,
        QueryError::Timeout | QueryError::Canceled | QueryError::Unavailable(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let body = json!({ "status": "error", "errorType": error.kind(), "error": error.to_string() });
    (status, Json(body)).into_response()
}

/// The present in ms, a multiple of how long answers are kept.
fn present() -> i64 {
    let step = PROMQL_FRESH.as_nanos() as u64;
    (times::now() / step * step / 1_000_000) as i64
}
