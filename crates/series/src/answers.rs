//! Answers in the shape of Prometheus' HTTP API.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{Answer, Labels, Matcher, NAME, QueryError, Sample, number};

impl Answer {
    /// `data` of an answer to `query` or `query_range`.
    pub fn to_json(&self) -> Value {
        let (kind, result) = match self {
            Self::Scalar(sample) => ("scalar", point(*sample)),
            Self::Text(time, text) => ("string", json!([seconds(*time), text])),
            Self::Vector(all) => {
                let one = |(labels, sample): &(Labels, Sample)| json!({ "metric": metric(labels), "value": point(*sample) });
                ("vector", all.iter().map(one).collect())
            }
            Self::Matrix(all) => {
                let one = |(labels, samples): &(Labels, Vec<Sample>)| {
                    let values: Vec<Value> = samples.iter().map(|s| point(*s)).collect();
                    json!({ "metric": metric(labels), "values": values })
                };
                ("matrix", all.iter().map(one).collect())
            }
        };
        json!({ "resultType": kind, "result": result })
    }
}

impl fmt::Display for Answer {
    /// As `promtool query` prints it, without the last line's end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point = |s: &Sample| format!("{} @[{}]", number(s.value), seconds(s.time));
        let lines: Vec<String> = match self {
            Self::Scalar(sample) => vec![format!("scalar: {}", point(sample))],
            Self::Text(_, text) => vec![text.clone()],
            Self::Vector(all) => {
                all.iter().map(|(l, sample)| format!("{} => {}", name(l), point(sample))).collect()
            }
            Self::Matrix(all) => {
                let one = |(labels, samples): &(Labels, Vec<Sample>)| {
                    let points: Vec<String> = samples.iter().map(point).collect();
                    format!("{} =>\n{}", name(labels), points.join("\n"))
                };
                all.iter().map(one).collect()
            }
        };
        f.write_str(&lines.join("\n"))
    }
}

/// `up{job="api"}`; the braces only where there is something in them, or no name before them.
fn name(labels: &Labels) -> String {
    let name = labels.get(NAME);
    let others = labels.nameless();
    if !name.is_empty() && others.iter().next().is_none() {
        return name.to_owned();
    }
    format!("{name}{others}")
}

/// Labels as an object.
pub fn metric(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(n, v)| (n.to_owned(), v.into())).collect::<Map<_, _>>())
}

fn point(sample: Sample) -> Value {
    json!([seconds(sample.time), number(sample.value)])
}

/// Whole seconds without a fraction, as Prometheus writes them.
fn seconds(time: i64) -> Value {
    if time % 1_000 == 0 { json!(time / 1_000) } else { json!(time as f64 / 1_000.0) }
}

/// The conditions of a series selector, as `match[]` has them.
pub fn selector(text: &str) -> Result<Vec<Matcher>, QueryError> {
    match promql_parser::parser::parse(text).map_err(QueryError::BadData)? {
        promql_parser::parser::Expr::VectorSelector(selector) => crate::eval::matchers(&selector),
        _ => Err(QueryError::BadData(format!("{text} is no series selector"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_shape_of_prometheus() {
        let labels = Labels::new([("__name__", "up")]);
        let sample = Sample { time: 1_500, value: f64::INFINITY };
        assert_eq!(
            Answer::Vector(vec![(labels.clone(), sample)]).to_json().to_string(),
            r#"{"result":[{"metric":{"__name__":"up"},"value":[1.5,"+Inf"]}],"resultType":"vector"}"#
        );
        let scalar = Answer::Scalar(Sample { time: 2_000, value: 1.0 });
        let text = r#"{"result":[2,"1"],"resultType":"scalar"}"#;
        assert_eq!(scalar.to_json().to_string(), text);
        assert_eq!(scalar.to_string(), "scalar: 1 @[2]");
        let named = labels.with("job", "a\"b");
        assert_eq!(
            Answer::Vector(vec![(labels.clone(), sample), (named, sample)]).to_string(),
            "up => +Inf @[1.5]\nup{job=\"a\\\"b\"} => +Inf @[1.5]"
        );
        let two = vec![sample, Sample { time: 2_000, value: 0.5 }];
        let matrix = Answer::Matrix(vec![(Labels::default(), two)]);
        assert_eq!(matrix.to_string(), "{} =>\n+Inf @[1.5]\n0.5 @[2]");
        assert_eq!(selector("up{a=\"b\"}").unwrap().len(), 2);
        assert!(selector("sum(up)").is_err());
    }
}
