//! Prometheus' own API over the service's series.

use hanabi_series::{Labels, Sample, Series, remote, stale};

use crate::client::{Answer, get, request};
use crate::world::{NOW, Setup, World};

const AT: u64 = NOW / 1_000_000_000;

#[tokio::test]
async fn queries_are_answered_in_prometheus_shape() {
    let world = World::start(Setup::default()).await;
    let answer = get(world.addr, &format!("/api/v1/query?query=events_total&time={AT}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["status"], "success");
    assert_eq!(body["data"]["resultType"], "vector");
    assert_eq!(body["data"]["result"][0]["metric"]["__name__"], "events_total");
    assert_eq!(body["data"]["result"][0]["value"], serde_json::json!([AT, "7200"]));
    let range = format!(
        "/api/v1/query_range?query=rate(events_total%5B5m%5D)&start={}&end={AT}&step=1m&ignored=x",
        AT - 600
    );
    let body = get(world.addr, &range).await.json();
    let values = body["data"]["result"][0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 11);
    let rate = |value: &serde_json::Value| value[1].as_str().unwrap().parse::<f64>().unwrap();
    assert!(values.iter().all(|value| (rate(value) - 2.0).abs() < 1e-9), "{values:?}");
    // Grafana sends forms.
    let form = format!("query=sum(open_alerts)&time={AT}");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let posted = request(world.addr, "POST", "/api/v1/query", &headers, form.as_bytes()).await;
    assert_eq!(posted.json()["data"]["result"][0]["value"][1], "2", "{}", posted.text());
}

#[tokio::test]
async fn names_values_and_series_are_listed() {
    let world = World::start(Setup::default()).await;
    let data = async |path: &str| get(world.addr, path).await.json()["data"].clone();
    assert_eq!(data("/api/v1/labels").await, serde_json::json!(["__name__", "job"]));
    let names = data("/api/v1/label/__name__/values").await;
    assert_eq!(names, serde_json::json!(["events_total", "open_alerts"]));
    let some = data("/api/v1/label/__name__/values?match%5B%5D=%7B__name__%3D~%22o.*%22%7D").await;
    assert_eq!(some, serde_json::json!(["open_alerts"]));
    let series = data("/api/v1/series?match[]=events_total&match[]=nothing").await;
    let expected = serde_json::json!([{ "__name__": "events_total", "job": "hanabi" }]);
    assert_eq!(series, expected);
    for (span, names) in [
        (format!("start={AT}"), 2),
        (format!("end={AT}"), 2),
        (format!("start={}&end={AT}", AT - 3_600), 2),
        ("start=0&end=1".to_owned(), 0),
        ("start=2&end=1".to_owned(), 0),
    ] {
        let found = data(&format!("/api/v1/label/__name__/values?{span}")).await;
        assert_eq!(found.as_array().unwrap().len(), names, "{span}: {found}");
    }
    let about = data("/api/v1/metadata").await;
    assert_eq!(about["hanabi_events_total"][0]["type"], "counter");
    assert_eq!(data("/api/v1/status/buildinfo").await["application"], "hanabi");
}

#[tokio::test]
async fn what_cannot_be_answered_is_said_in_prometheus_words() {
    let world = World::start(Setup::default()).await;
    for (path, status, kind) in [
        ("/api/v1/query", 400, "bad_data"),
        ("/api/v1/query?query=sum(", 400, "bad_data"),
        ("/api/v1/query?query=up&time=yesterday", 400, "bad_data"),
        ("/api/v1/query_range?query=up&start=1&end=2", 400, "bad_data"),
        ("/api/v1/query_range?query=up&start=0&end=99999999&step=1", 400, "bad_data"),
        ("/api/v1/series", 400, "bad_data"),
        ("/api/v1/query?query=limit_ratio(0.5,events_total)", 400, "bad_data"),
    ] {
        let answer = get(world.addr, path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let body = answer.json();
        assert_eq!(
            (&body["status"], &body["errorType"]),
            (&"error".into(), &kind.into()),
            "{path}"
        );
    }
    let pair = "{__name__=~\"events_total|open_alerts\"} * 2".replace(' ', "%20");
    let pair = pair.replace('"', "%22").replace('{', "%7B").replace('}', "%7D").replace('|', "%7C");
    let doubled = get(world.addr, &format!("/api/v1/query?query={pair}&time={AT}")).await;
    assert_eq!((doubled.status, &doubled.json()["errorType"]), (422, &"execution".into()));
}

async fn write(world: &World, body: &[u8]) -> Answer {
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
    request(world.addr, "POST", "/api/v1/write", &headers, body).await
}

fn sent(name: &str, samples: &[(u64, f64)]) -> Series {
    let sample = |(time, value): &(u64, f64)| Sample { time: *time as i64 * 1_000, value: *value };
    Series {
        labels: Labels::new([("__name__", name), ("job", "other")]),
        samples: samples.iter().map(sample).collect(),
    }
}

#[tokio::test]
async fn others_write_where_that_is_switched_on() {
    let off = World::start(Setup::default()).await;
    let body = remote::encode(&[sent("sent_total", &[(AT - 30, 1.0), (AT, 2.0)])]);
    let refused = write(&off, &body).await;
    assert_eq!(refused.status, 404);
    assert!(refused.text().contains("series.remote_write_receiver"), "{}", refused.text());
    let world = World::start(Setup { remote_write: true, ..Setup::default() }).await;
    assert_eq!(write(&world, &body).await.status, 204);
    // What is sent again is there already.
    assert_eq!(write(&world, &body).await.status, 400, "its first sample is out of order");
    let last = remote::encode(&[sent("sent_total", &[(AT, 2.0)])]);
    assert_eq!(write(&world, &last).await.status, 204);
    let asked = async |path: String| get(world.addr, &path).await.json()["data"]["result"].clone();
    let sum = asked(format!("/api/v1/query?query=sent_total&time={AT}")).await;
    assert_eq!(sum[0]["metric"]["job"], "other");
    assert_eq!(sum[0]["value"], serde_json::json!([AT, "2"]));
    let ends = remote::encode(&[sent("sent_total", &[(AT + 1, stale())])]);
    assert_eq!(write(&world, &ends).await.status, 204);
    let ended = asked(format!("/api/v1/query?query=sent_total&time={}", AT + 2)).await;
    assert_eq!(ended, serde_json::json!([]));
}

#[tokio::test]
async fn what_cannot_be_written_is_named_and_the_rest_taken() {
    let world = World::start(Setup { remote_write: true, ..Setup::default() }).await;
    let far = 4_000_000_000;
    let nameless = Series { labels: Labels::new([("job", "x")]), ..sent("", &[(AT, 1.0)]) };
    let mixed = [
        sent("good", &[(AT, 1.0)]),
        sent("good", &[(AT, 2.0), (AT - 1, 1.0)]),
        sent("ahead", &[(AT, 1.0), (far, 1.0)]),
        nameless,
    ];
    let answer = write(&world, &remote::encode(&mixed)).await;
    assert_eq!(answer.status, 400);
    let text = answer.text();
    for said in [
        "2 samples are out of order",
        "1 samples are more than ten minutes ahead",
        "1 samples have invalid labels (no metric's name",
        "2 were",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    for (body, status) in [(&b"junk"[..], 400), (b"\xff\xff\xff\xff\x07x", 413)] {
        assert_eq!(write(&world, body).await.status, status);
    }
    let huge = vec![0u8; remote::MAX_BYTES + 1];
    assert_eq!(write(&world, &huge).await.status, 413);
    for (kind, encoding) in [
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy"),
        ("application/json", "snappy"),
        ("application/x-protobuf", "gzip"),
    ] {
        let headers = [("content-type", kind), ("content-encoding", encoding)];
        let answer = request(world.addr, "POST", "/api/v1/write", &headers, b"").await;
        assert_eq!(answer.status, 415, "{kind} {encoding}: {}", answer.text());
    }
    let got = get(world.addr, "/api/v1/write").await;
    assert_eq!(got.status, 405);
}
