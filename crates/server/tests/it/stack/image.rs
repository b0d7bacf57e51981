//! The image and the compose file on a Docker engine of the test's own: built on a base that was
//! imported, with the binary that is tested in it.

use std::{
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{root, said, succeeds, text};
use crate::{
    engine::Engine,
    metrics::installed,
    service::{hanabi, lines},
};

const PATIENCE: Duration = Duration::from_mins(2);

fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "no {what} in time");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Copies a binary without what is only there for debugging, which is most of it.
fn stripped(from: &Path, to: &Path) {
    let done = Command::new("strip").arg("-o").arg(to).arg(from).status();
    if !done.is_ok_and(|status| status.success()) {
        std::fs::copy(from, to).unwrap();
    }
}

/// A base with nothing but the libraries that the binary is linked with.
fn import_base(engine: &Engine, binary: &Path) {
    let base = engine.path().join("base");
    std::fs::create_dir_all(base.join("usr")).unwrap();
    let linked = succeeds(Command::new("ldd").arg(binary));
    for library in linked.split_whitespace().filter(|word| word.starts_with('/')) {
        let target = base.join(&library[1..]);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(library, &target).unwrap();
    }
    let tar = engine.path().join("base.tar");
    succeeds(Command::new("tar").arg("-C").arg(&base).arg("-cf").arg(&tar).arg("."));
    engine.run(&["import", tar.to_str().unwrap(), "base"]);
}

/// Builds `hanabi:latest` as docs/install.md says for a binary that was built before.
fn build(engine: &Engine) {
    let context = engine.path().join("context");
    std::fs::create_dir_all(context.join("prebuilt/data")).unwrap();
    std::fs::copy(root().join("Dockerfile"), context.join("Dockerfile")).unwrap();
    let binary = context.join("prebuilt/hanabi");
    stripped(Path::new(env!("CARGO_BIN_EXE_hanabi")), &binary);
    import_base(engine, &binary);
    // The client's plugin for the new builder may not be there; the old one is in every engine.
    let built = Command::new("docker")
        .env("DOCKER_BUILDKIT", "0")
        .args(["--host", &engine.host(), "build", "--network", "none", "--target", "prebuilt"])
        .args(["--build-arg", "RUNTIME_IMAGE=base", "--tag", "hanabi:latest"])
        .arg(&context)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", said(&built));
}

fn inspect(engine: &Engine, name: &str, format: &str) -> String {
    said(&engine.docker(&["inspect", "--format", format, name])).trim().to_owned()
}

fn wait_healthy(engine: &Engine, name: &str) {
    wait("health", || {
        let state = inspect(engine, name, "{{.State.Status}} {{.State.Health.Status}}");
        assert!(!state.starts_with("exited"), "{}", said(&engine.docker(&["logs", name])));
        (state == "running healthy").then_some(())
    });
}

const CLOSED: [&str; 7] = [
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--network",
    "none",
];

#[test]
fn the_image_is_built_and_runs_without_rights() {
    let Some(engine) = Engine::start() else { return };
    build(&engine);
    let seen = inspect(
        &engine,
        "hanabi:latest",
        "{{.Config.User}} {{.Config.Healthcheck.Test}} {{.Config.ExposedPorts}}",
    );
    assert_eq!(seen, "65532:65532 [CMD /usr/local/bin/hanabi health] map[8000/tcp:{}]");

    // Nothing is open by accident: without TLS it says what is missing, and ends.
    let mut run = vec!["run", "--rm"];
    run.extend(CLOSED);
    let refused = engine.docker(&[&run[..], &["hanabi:latest"]].concat());
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("tls.allow_remote_without_tls"), "{}", said(&refused));

    let token = engine.path().join("admin-token");
    std::fs::write(&token, "0123456789abcdef".repeat(2)).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mount = format!("{}:/run/secrets/admin-token:ro", token.display());
    let mut run = vec!["run", "--detach", "--name", "hanabi", "--volume", "data:/var/lib/hanabi"];
    run.extend(CLOSED);
    run.extend(["--volume", &mount, "--env", "HANABI_TLS_ALLOW_REMOTE_WITHOUT_TLS=true"]);
    run.extend(["--env", "HANABI_AUTH_ADMIN_TOKEN_FILE=/run/secrets/admin-token"]);
    run.push("hanabi:latest");
    engine.run(&run);
    wait_healthy(&engine, "hanabi");

    // It knows its admin and nobody else.
    let token = "0123456789abcdef".repeat(2);
    let inside = |arguments: &[&str]| {
        engine.docker(&[&["exec", "hanabi", "/usr/local/bin/hanabi"][..], arguments].concat())
    };
    assert_eq!(inside(&["token", "list"]).status.code(), Some(1));
    let create = ["token", "create", "falco", "--role", "ingest", "--token", &token];
    let made = inside(&create);
    assert!(said(&made).starts_with("hnb_"), "{}", said(&made));

    // What it has stored is there after a restart; its end is not a kill.
    engine.run(&["stop", "hanabi"]);
    assert_eq!(inspect(&engine, "hanabi", "{{.State.ExitCode}}"), "0");
    engine.run(&["start", "hanabi"]);
    wait_healthy(&engine, "hanabi");
    let listed = inside(&["token", "list", "--token", &token]);
    assert!(said(&listed).contains("falco"), "{}", said(&listed));
}

/// The repository as far as compose needs it, with the engine's socket in place of the host's.
fn checkout(engine: &Engine) -> std::path::PathBuf {
    let at = engine.path().join("checkout");
    std::fs::create_dir_all(at.join("scripts")).unwrap();
    for name in ["secrets.sh", "lib.sh"] {
        let to = at.join("scripts").join(name);
        std::fs::copy(root().join("scripts").join(name), to).unwrap();
    }
    for folder in ["falco", "prometheus", "grafana"] {
        symlink(root().join(folder), at.join(folder)).unwrap();
    }
    let socket = engine.path().join("docker.sock");
    let file = text("docker-compose.yml")
        .replace("- /var/run/docker.sock:", &format!("- {}:", socket.display()));
    std::fs::write(at.join("docker-compose.yml"), file).unwrap();
    at
}

fn status(url: &str, token: Option<&str>) -> u16 {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {}", token.trim()));
    }
    request.call().map_or(0, |answer| answer.status().as_u16())
}

/// Hanabi of the compose file beside a container `falco`, with the tokens of the script.
#[test]
fn compose_starts_it_and_it_follows_falco() {
    let Some(compose) = installed("docker-compose") else { return };
    let Some(mut engine) = Engine::start() else { return };
    build(&engine);
    let at = checkout(&engine);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let command = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(&at).env("DOCKER_HOST", engine.host());
        command.env("HANABI_PORT", port.to_string()).env("COMPOSE_PROJECT_NAME", "stack");
        command
    };
    succeeds(&mut command("scripts/secrets.sh"));
    let secret = |name: &str| std::fs::read_to_string(at.join("secrets").join(name)).unwrap();
    let mode = std::fs::metadata(at.join("secrets")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "others on the host may look into secrets");
    // Again: what is there stays.
    let before = secret("metrics-token");
    assert!(before.starts_with("hnb_"), "{before}");
    let again = succeeds(&mut command("scripts/secrets.sh"));
    assert!(!again.contains("made"), "{again}");
    assert_eq!(secret("metrics-token"), before);

    engine.printer("falco", &[]);
    succeeds(command(&compose).args(["up", "--detach", "--no-build", "--no-deps", "hanabi"]));
    // Versions of compose differ in how they name a container.
    let running = ["ps", "--filter", "label=com.docker.compose.service=hanabi", "--format"];
    let name = said(&engine.docker(&[&running[..], &["{{.Names}}"]].concat()));
    wait_healthy(&engine, name.trim());
    let url = format!("http://127.0.0.1:{port}");
    let (metrics, query) = (format!("{url}/metrics"), format!("{url}/api/v1/query?query=1"));
    assert_eq!(status(&metrics, None), 401);
    assert_eq!(status(&metrics, Some(&secret("metrics-token"))), 200);
    assert_eq!(status(&query, Some(&secret("metrics-token"))), 403);
    assert_eq!(status(&query, Some(&secret("viewer-token"))), 200);

    let all = lines("shop-small.jsonl.zst");
    let end = memchr::memchr_iter(b'\n', &all).nth(999).unwrap() + 1;
    engine.print(&all[..end]);
    let admin = secret("admin-token");
    wait("lines of Falco's container", || {
        let mut answer = ureq::get(format!("{url}/api/sources"))
            .header("authorization", format!("Bearer {}", admin.trim()))
            .call()
            .unwrap();
        let answer: serde_json::Value = answer.body_mut().read_json().unwrap();
        (answer["totals"]["received"] == 1_000).then_some(())
    });
    let mut list = hanabi();
    let listed = list.args(["token", "list", "--url", &url, "--token", admin.trim()]);
    let listed = succeeds(listed);
    assert!(listed.contains("prometheus") && listed.contains("grafana"), "{listed}");
}
