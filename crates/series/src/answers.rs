//! Answers in the shape of Prometheus' HTTP API.

use serde_json::{Map, Value, json};

use crate::{Answer, Labels, Matcher, QueryError, Sample, number};

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
        assert_eq!(selector("up{a=\"b\"}").unwrap().len(), 2);
        assert!(selector("sum(up)").is_err());
    }
}
