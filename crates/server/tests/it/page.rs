//! The first page in a real browser. Without one (Debian's `chromium`) the test says so and passes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    metrics::{Helper, installed},
    service::{Service, lines},
};

/// A browser that is told what to do over a pipe, in Chrome's own protocol.
struct Browser {
    _child: Helper,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    next: u64,
}

impl Browser {
    fn start(chromium: &str, profile: &Path) -> Self {
        // The protocol is spoken on descriptors 3 and 4.
        let command = format!(
            "exec {chromium} --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
             --user-data-dir='{}' --remote-debugging-pipe about:blank 3<&0 4>&1",
            profile.display()
        );
        let mut child = Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { _child: Helper(child), to, from: BufReader::new(from), next: 1 }
    }

    fn ask(&mut self, session: Option<&str>, method: &str, params: &Value) -> Value {
        let id = self.next;
        self.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).unwrap();
            assert!(!answer.is_empty(), "the browser has ended");
            answer.pop();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == id {
                return answer["result"].clone();
            }
        }
    }
}

#[test]
fn the_first_page_shows_a_container_and_an_alert() {
    let Some(chromium) = installed("chromium") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut service = Service::start(&dir.path().join("data"), &[]);
    let (status, answer) =
        service.post("application/x-ndjson", None, &lines("shop-rules.jsonl.zst"));
    assert_eq!(status, 202, "{answer}");
    service.wait("alert", |service| (!service.alerts().is_empty()).then_some(()));

    let mut browser = Browser::start(&chromium, &dir.path().join("browser"));
    let target = browser.ask(None, "Target.createTarget", &json!({ "url": service.url }));
    let attach = json!({ "targetId": target["targetId"], "flatten": true });
    let session = browser.ask(None, "Target.attachToTarget", &attach);
    let session = session["sessionId"].as_str().unwrap().to_owned();
    let text = |browser: &mut Browser, selector: &str| {
        let expression = format!("document.querySelector('{selector}')?.innerText ?? ''");
        let question = json!({ "expression": expression });
        let answer = browser.ask(Some(&session), "Runtime.evaluate", &question);
        answer["result"]["value"].as_str().unwrap_or_default().to_owned()
    };
    service.wait("container on the page", |_| {
        text(&mut browser, "#containers").contains("web").then_some(())
    });
    service.wait("alert on the page", |_| {
        (!text(&mut browser, "#alerts").trim().is_empty()).then_some(())
    });
}
