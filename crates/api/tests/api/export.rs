//! Lists as files: whole, in each format, safe to open, and never more than some at a time.

use std::sync::Arc;

use hanabi_event::{Priority, SECOND};
use serde_json::{Value, json};

use crate::client::{get, request};
use crate::world::{self, NOW, Setup, WEB, World};

async fn filled() -> World {
    let world = World::start(Setup::default()).await;
    world.fill();
    world
}

/// The rows of a CSV file by column name.
fn table(text: &str) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let row = |row: csv::StringRecord| {
        names.iter().zip(row.iter()).map(|(name, cell)| (name.to_owned(), cell.into())).collect()
    };
    reader.records().map(|record| Value::Object(row(record.unwrap()))).collect()
}

#[tokio::test]
async fn a_file_has_all_alerts_in_each_format() {
    let world = filled().await;
    // More than one page, also of those that the store does not have yet.
    let many: Vec<_> = (0..2_500u64)
        .map(|n| {
            let last = hanabi_event::time::format_time(NOW - 1_000 * SECOND - n * SECOND);
            world::alert(&json!({
                "id": format!("1{n:015x}"), "fingerprint": format!("1{n:015x}"),
                "first_seen": last, "last_seen": last, "rule": "=HYPERLINK(\"http://x\")",
            }))
        })
        .collect();
    world.store.put_alerts(&many).unwrap();
    let fresh = world::alert(&json!({ "id": "ffffffffffffffff", "priority": "Error" }));
    world.live.put_alerts(vec![Arc::new(fresh)]);
    let listed = get(world.addr, "/api/alerts?limit=1000").await.json();
    let all = 2_500 + world::alerts().len() + 1;

    let json = get(world.addr, "/api/export/alerts").await;
    assert_eq!((json.status, json.header("content-type")), (200, "application/json"));
    assert_eq!(json.header("content-disposition"), "attachment; filename=\"hanabi-alerts.json\"");
    let json = json.json();
    let rows = json.as_array().unwrap();
    assert_eq!(rows.len(), all);
    assert_eq!(rows[..1000], listed["alerts"].as_array().unwrap()[..]);

    let lines = get(world.addr, "/api/export/alerts?format=ndjson").await;
    let lines: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&lines, rows);

    let csv = get(world.addr, "/api/export/alerts?format=csv").await;
    assert!(csv.header("content-type").starts_with("text/csv"));
    let csv = table(csv.text());
    assert_eq!(csv.len(), all);
    for (cells, row) in csv.iter().zip(rows) {
        assert_eq!((&cells["id"], &cells["last_seen"]), (&row["id"], &row["last_seen"]));
        assert!(!cells["rule"].as_str().unwrap().starts_with('='), "{cells}");
    }
    assert_eq!(csv[2_000]["rule"], "'=HYPERLINK(\"http://x\")");

    let few = get(world.addr, "/api/export/alerts?format=ndjson&priority=critical&q=shell").await;
    let listed = get(world.addr, "/api/alerts?limit=1000&priority=critical&q=shell").await.json();
    assert_eq!(few.text().lines().count().min(1_000), listed["alerts"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_file_can_be_compressed() {
    use std::io::Read as _;
    let world = filled().await;
    let plain = get(world.addr, "/api/export/alerts").await;
    let path = "/api/export/alerts";
    let packed = request(world.addr, "GET", path, &[("accept-encoding", "gzip")], b"").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let world = filled().await;
    for (path, expected) in [
        ("/api/export/alerts?rule=none", "[]\n"),
        ("/api/export/alerts?rule=none&format=ndjson", ""),
        ("/api/export/logs?q=nothing+like+it", "[]\n"),
    ] {
        let answer = get(world.addr, path).await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{path}");
    }
    let csv = get(world.addr, "/api/export/alerts?rule=none&format=csv").await;
    assert!(csv.text().starts_with("id,fingerprint,incident,"), "{}", csv.text());
    assert_eq!(csv.text().lines().count(), 1);
}

#[tokio::test]
async fn events_and_trees_are_files() {
    let world = filled().await;
    let logs = get(world.addr, &format!("/api/containers/{WEB}/logs?limit=1000")).await.json();
    let rows = get(world.addr, &format!("/api/export/logs?container_id={WEB}")).await.json();
    assert_eq!(rows, logs["events"]);
    let all = table(get(world.addr, "/api/export/logs?format=csv").await.text());
    assert_eq!(all.len(), world::rows().len());

    let trees = get(world.addr, "/api/export/hbt").await.json();
    let shown: Vec<_> = trees.as_array().unwrap().iter().map(|t| t["identity"].clone()).collect();
    assert_eq!(shown, ["h1:db", "h1:web"], "one that has no tree any more has no row");
    assert_eq!(trees[1]["tree"], get(world.addr, &format!("/api/hbt/{WEB}")).await.json());
    let nodes = table(
        get(world.addr, &format!("/api/export/hbt?format=csv&container_id={WEB}")).await.text(),
    );
    let pointers: Vec<_> = nodes.iter().map(|node| node["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "",
            "/file_branch",
            "/file_branch/openat",
            "/process_branch",
            "/process_branch/execve",
            "/process_branch/execve/nginx",
            "/process_branch/execve/nginx/cmd_argument:-g",
        ]
    );
}

#[tokio::test]
async fn a_report_says_what_happened_and_nothing_in_it_is_markup() {
    let world = filled().await;
    let mut incident = world::incident(&world::alerts());
    incident.id = "00000000000000e2".into();
    incident.priority = Priority::Emergency;
    incident.container.name = "![x](http://203.0.113.9/`x`)\n# Owned".into();
    world.live.put_incidents(vec![Arc::new(incident)]);
    let path = format!("/api/export/report?start={}&end={}", NOW - 3_600 * SECOND, NOW);
    let report = get(world.addr, &path).await;
    assert_eq!(report.header("content-type"), "text/markdown; charset=utf-8");
    insta::assert_snapshot!("report", report.text());
    let chinese = get(world.addr, &format!("{path}&lang=zh")).await;
    assert!(chinese.text().starts_with("# Hanabi:报告\n"), "{}", chinese.text());
    assert!(chinese.text().contains("从未运行过"), "{}", chinese.text());
    let empty = get(world.addr, "/api/export/report?start=1&end=2").await;
    assert!(empty.text().contains("None in this period."), "{}", empty.text());
}

#[tokio::test]
async fn two_trees_are_compared() {
    let world = filled().await;
    let mut older = world::tree();
    older.children.remove("file_branch");
    world.store.put_snapshot("h1:web", NOW - 500 * SECOND, &older).unwrap();
    let from = NOW - 400 * SECOND;
    let diff = get(world.addr, &format!("/api/hbt/{WEB}/diff?from={from}")).await.json();
    assert_eq!(diff["added"][0]["pointer"], "/file_branch");
    assert_eq!((&diff["added"][0]["nodes"], &diff["removed"]), (&json!(2), &json!([])));
    assert_eq!(diff["from"], "2025-11-22T08:18:20.000000000Z");
    let back = format!("/api/hbt/{WEB}/diff?from={NOW}&to={from}");
    let back = get(world.addr, &back).await.json();
    assert_eq!((&back["removed"], &back["added"]), (&diff["added"], &json!([])));
    for (query, field) in [("", "from"), ("?from=1", "from"), (&format!("?from={NOW}&to=1"), "to")]
    {
        let answer = get(world.addr, &format!("/api/hbt/{WEB}/diff{query}")).await;
        assert_eq!((answer.status, &answer.json()["field"]), (400, &json!(field)), "{query}");
    }
}
