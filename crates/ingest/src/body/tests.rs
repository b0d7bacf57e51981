//! Bodies in every shape that sources send, and in those that attackers do.

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;

use super::*;

fn decode(body: &[u8]) -> Result<Vec<u8>, BodyError> {
    let body = Bytes::copy_from_slice(body);
    decode_body(Some("application/json"), None, body, &BodyLimits::default())
}

fn gzip(text: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap().into()
}

#[test]
fn shapes_become_lines() {
    for (body, lines) in [
        ("", ""),
        (" \r\n\t", ""),
        (r#"{"a":1}"#, "{\"a\":1}\n"),
        ("{\"a\":1}\n", "{\"a\":1}\n"),
        ("\u{feff}{\"a\":1}", "{\"a\":1}\n"),
        ("{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\n{\"b\":2}\n"),
        ("{\"a\":1}\r\n{\"b\":2}", "{\"a\":1}\r\n{\"b\":2}\n"),
        // Pretty-printed, also several of them.
        ("{\n  \"a\": [1,\n 2],\n  \"b c\": \"d  e\"\n}\n", "{\"a\":[1,2],\"b c\":\"d  e\"}\n"),
        ("{\n\"a\": 1\n}\n{\n\"b\": \"}\\\"\"\n}", "{\"a\":1}\n{\"b\":\"}\\\"\"}\n"),
        ("{\n\"a\": \"x\ny\"\n}", "{\"a\":\"x\\ny\"}\n"),
        // Arrays.
        ("[]", ""),
        (" [ ] \n", ""),
        (r#"[{"a":1}]"#, "{\"a\":1}\n"),
        (r#"[{"a":1}, {"b":"],["} ]"#, "{\"a\":1}\n{\"b\":\"],[\"}\n"),
        ("[\n  {\n \"a\": 1\n },\n {\"b\": 2}\n]\n", "{\"a\":1}\n{\"b\": 2}\n"),
        ("[1,\"x\",null,[2]]", "1\n\"x\"\nnull\n[2]\n"),
        // Not events, or broken: the decoder's business.
        ("hello", "hello\n"),
        ("{\"a\":1\n{\"b\":2}\n", "{\"a\":1\n{\"b\":2}\n"),
        ("{\"a\":1}\nnot json\n{\"b\":2}\n", "{\"a\":1}\nnot json\n{\"b\":2}\n"),
        ("{\n\"a\": 1\n}\n{\n\"b\"", "{\"a\":1}\n{\n\"b\"\n"),
        ("[{\"a\":tru}]", "{\"a\":tru}\n"),
    ] {
        let decoded = decode(body.as_bytes()).unwrap();
        assert_eq!(String::from_utf8_lossy(&decoded), lines, "{body:?}");
    }
}

#[test]
fn a_broken_array_is_refused_with_the_place() {
    for (body, place) in [
        ("[", 1),
        ("[{\"a\":1}", 8),
        ("[{\"a\":1},", 9),
        ("[{\"a\":1},]", 9),
        ("[,]", 1),
        ("[{\"a\":1} {\"b\":2}]", 9),
        ("[{\"a\":[1}]}]", 8),
        ("[{\"a\":1}] x", 10),
        ("[{\"a\":\"", 6),
        ("  [{\"a\":1}}", 10),
    ] {
        match decode(body.as_bytes()) {
            Err(BodyError::BrokenArray { offset, .. }) => assert_eq!(offset, place, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let error = decode(b"[1").unwrap_err().to_string();
    assert_eq!(error, "array of events is broken at byte 2: array has no end");
}

#[test]
fn content_types_and_encodings() {
    let decode = |content_type, encoding, body: &'static [u8]| {
        decode_body(content_type, encoding, Bytes::from_static(body), &BodyLimits::default())
    };
    for content_type in [
        None,
        Some("application/json"),
        Some("Application/JSON; charset=utf-8"),
        Some("text/plain"),
        Some("application/cloudevents+json"),
    ] {
        assert_eq!(decode(content_type, None, b"[{}]").unwrap(), b"{}\n");
    }
    let lines = Some("application/x-ndjson");
    assert_eq!(decode(lines, Some(" identity "), b"[{}]").unwrap(), b"[{}]\n");
    let error = decode(Some("text/html"), None, b"{}").unwrap_err();
    assert!(matches!(error, BodyError::UnsupportedType { .. }), "{error}");
    let error = decode(None, Some("br\n"), b"{}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "content encoding \"br\" is not supported; send gzip or identity"
    );
}

#[test]
fn gzip_is_unpacked_also_in_several_members() {
    let limits = BodyLimits::default();
    let body = [gzip(b"{\"a\":1}\n"), gzip(b"{\"b\":2}\n")].concat();
    for encoding in ["gzip", "x-gzip", "GZIP"] {
        let decoded = decode_body(None, Some(encoding), Bytes::from(body.clone()), &limits);
        assert_eq!(decoded.unwrap(), b"{\"a\":1}\n{\"b\":2}\n");
    }
    assert_eq!(decode_body(None, Some("gzip"), Bytes::new(), &limits).unwrap(), b"");
    for broken in [b"not gzip".to_vec(), body[..body.len() - 5].to_vec()] {
        let error = decode_body(None, Some("gzip"), Bytes::from(broken), &limits).unwrap_err();
        assert!(matches!(error, BodyError::Gzip(_)), "{error}");
    }
}

#[test]
fn a_bomb_is_refused_early() {
    let bomb = gzip(&vec![b' '; 200 << 20]);
    assert!(bomb.len() < 300_000);
    let error = decode_body(None, Some("gzip"), bomb.clone(), &BodyLimits::default()).unwrap_err();
    let limit = bomb.len() * 256;
    assert!(matches!(error, BodyError::TooLarge { limit: l } if l == limit), "{error}");
    let small = gzip(&vec![b' '; 2 << 20]);
    let error = decode_body(None, Some("gzip"), small, &BodyLimits::default()).unwrap_err();
    assert!(matches!(error, BodyError::TooLarge { limit: 1_048_576 }), "{error}");
    let limits = BodyLimits { max_bytes: 1_000, ..BodyLimits::default() };
    for (encoding, body) in [(Some("gzip"), gzip(&[b' '; 1_001])), (None, vec![b' '; 1_001].into())]
    {
        let error = decode_body(None, encoding, body, &limits).unwrap_err();
        assert!(matches!(error, BodyError::TooLarge { limit: 1_000 }), "{error}");
    }
    let body = gzip(&"{\"same\":\"event\"}\n".repeat(10_000).into_bytes());
    decode_body(None, Some("gzip"), body, &BodyLimits::default()).unwrap();
}

#[test]
fn deep_nesting_costs_no_stack() {
    let depth = 4 << 20;
    let array = [vec![b'['; depth], vec![b']'; depth]].concat();
    let lines = decode(&array).unwrap();
    assert_eq!(lines.len(), array.len() - 1, "one element, for the decoder to reject");
    assert!(decode(&array[..depth]).is_err());
    let object = "{\"a\":".repeat(1 << 20);
    assert_eq!(decode(object.as_bytes()).unwrap().len(), object.len() + 1);
}

proptest! {
    /// Whatever way JSON objects are put together, the lines are the objects.
    #[test]
    fn shapes_are_equal(
        values in prop::collection::vec(("[a-z\"\\\\\\[{}\\]\n ,]{0,12}", 0_i64..1_000), 0..8),
    ) {
        let objects: Vec<serde_json::Value> = values
            .iter()
            .map(|(text, number)| serde_json::json!({"s": text, "n": [number, {"k": text}]}))
            .collect();
        let compact: Vec<String> = objects.iter().map(ToString::to_string).collect();
        let expected: String = compact.iter().map(|line| line.clone() + "\n").collect();
        let pretty: Vec<String> =
            objects.iter().map(|o| serde_json::to_string_pretty(o).unwrap()).collect();
        let pretty_array = serde_json::to_string_pretty(&objects).unwrap();
        for body in [
            expected.clone(),
            compact.join("\n"),
            format!("[{}]", compact.join(",")),
            pretty.join("\n"),
            pretty_array,
        ] {
            let lines = String::from_utf8(decode(body.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!(&lines, &expected);
        }
    }

    #[test]
    fn garbage_never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for text in [body.clone(), [b"[".to_vec(), body.clone()].concat(), [b"{\n".to_vec(), body].concat()] {
            if let Ok(lines) = decode(&text) {
                prop_assert!(lines.is_empty() || lines.ends_with(b"\n"));
            }
        }
    }
}
