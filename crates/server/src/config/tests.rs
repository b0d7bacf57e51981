//! What the configuration accepts and what it says when it does not.

use super::{Config, Overrides, Period, SourceSpec, layers::DEFAULT_TOML};

/// Loads a file's text with variables and `--set` values; problems come back as text.
fn load(file: &str, variables: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hanabi.toml");
    std::fs::write(&path, file).unwrap();
    let overrides = Overrides {
        file: Some(path.clone()),
        values: set.iter().map(|(k, v)| ((*k).into(), (*v).into(), "--set")).collect(),
    };
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::load(&overrides, variables)
        .map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
}

fn problems(file: &str) -> String {
    load(file, &[], &[]).unwrap_err()
}

#[test]
fn the_default_file_is_valid_and_is_the_default() {
    let from_file = load(DEFAULT_TOML, &[], &[]).unwrap();
    let built_in = load("", &[], &[]).unwrap();
    for ((key, left), (_, right)) in from_file.values().iter().zip(built_in.values()) {
        assert_eq!(left.value, right.value, "{key}");
    }
    assert_eq!(built_in.learn().warmup, Period::from_secs(45));
    assert_eq!(built_in.server().listen.to_string(), "127.0.0.1:8000");
    assert!(built_in.warnings().is_empty());
}

#[test]
fn the_defaults_are_those_of_the_parts() {
    let config = load("", &[], &[]).unwrap();
    let settings = crate::feed::settings(&config).unwrap();
    let parts = hanabi_detect::Settings::default();
    assert_eq!(format!("{:?}", settings.learn), format!("{:?}", parts.learn));
    assert_eq!(format!("{:?}", settings.limits), format!("{:?}", parts.limits));
    assert_eq!(settings.revision_window, parts.revision_window);
    assert_eq!(settings.rule_min_priority, parts.rule_min_priority);
    assert_eq!(settings.include_host, parts.include_host);

    let exporter = hanabi_telemetry::ExporterOptions::default();
    assert_eq!(config.metrics().series_max as usize, exporter.series_max);
    assert_eq!(config.metrics().idle_after.as_duration(), exporter.idle_after);

    let journal = hanabi_ingest::JournalOptions::default();
    assert_eq!(config.ingest().journal_bytes.as_u64(), journal.max_bytes);
    let intake = hanabi_ingest::IntakeOptions::default();
    assert_eq!(config.ingest().queue_bytes.as_u64(), intake.max_bytes);

    let log = hanabi_store::LogOptions::default();
    assert_eq!(config.store().event_log_bytes.as_u64(), log.total_bytes);
    assert_eq!(config.store().event_log_age.as_nanos(), log.age);
}

#[test]
fn later_layers_win() {
    let file = "[learn]\nwarmup = \"10s\"\nmin_time = \"50s\"\n[sources]\nlist = [\"stdin\"]";
    let variables = [("HANABI_LEARN_WARMUP", "20s"), ("HANABI_SOURCES_LIST", "file:/a, stdin")];
    let config = load(file, &variables, &[("learn.warmup", "30s")]).unwrap();
    assert_eq!(config.learn().warmup, Period::from_secs(30));
    assert_eq!(config.learn().min_time, Period::from_secs(50));
    assert_eq!(config.sources(), [SourceSpec::File("/a".into()), SourceSpec::Stdin]);
    let origins: Vec<String> = config
        .values()
        .iter()
        .filter(|(key, _)| key.starts_with("learn.m") || key == "sources.list")
        .map(|(key, setting)| format!("{key}: {}", setting.origin))
        .collect();
    assert_eq!(origins[0], "learn.max_time: default");
    assert!(origins[2].ends_with("hanabi.toml"), "{origins:?}");
    assert_eq!(origins[3], "sources.list: HANABI_SOURCES_LIST");
}

#[test]
fn limits_are_a_table_of_paths() {
    let limits = |config: &Config| config.profile().limits.clone();
    let expected = [("/srv/www".to_owned(), 200), ("/var/lib".to_owned(), 16)];
    let file = "[profile.limits]\n\"/var/lib\" = 16\n\"/srv/www\" = 200";
    assert_eq!(limits(&load(file, &[], &[]).unwrap()), expected);
    let inline = "[profile]\nlimits = { \"/var/lib\" = 16, \"/srv/www\" = 200 }";
    assert_eq!(limits(&load(inline, &[], &[]).unwrap()), expected);
    let set = [("profile.limits", "/var/lib=16, /srv/www=200")];
    assert_eq!(limits(&load("", &[], &set).unwrap()), expected);
    insta::assert_snapshot!(
        problems("[profile.limits]\n\"var/lib\" = 16\n\"/srv\" = 1\n"),
        @r#"
    the configuration is not valid
      profile.limits = { "/srv" = 1, "var/lib" = 16 } (FILE) must be from 2 to 10000 for "/srv"
      profile.limits = { "/srv" = 1, "var/lib" = 16 } (FILE) has "var/lib", which is no absolute path
    "#
    );
    insta::assert_snapshot!(
        problems("[profile]\nlimits = { \"/srv\" = \"many\" }"),
        @r#"
    the configuration is not valid
      profile.limits = { "/srv" = "many" } (FILE) must be a table of whole numbers
    "#
    );
    insta::assert_snapshot!(
        load("", &[], &[("profile.limits", "/srv")]).unwrap_err(),
        @r"
    the configuration is not valid
      profile.limits = /srv (--set) must be pairs such as /var/lib=16
    "
    );
}

#[test]
fn outputs_have_sections_of_their_own_over_one_pattern() {
    let file = "[outputs.siem]\nkind = \"syslog\"\nto = \"udp://loghost:514\"\nformat = \"json\"\n\
                [outputs.NAME]\nmin_priority = \"Error\"\n\
                [outputs.hook]\nkind = \"webhook\"\nto = \"http://h/x\"\nrules = [\"hbt.*\"]\n";
    let variables = [("HANABI_OUTPUTS_HOOK_TO", "http://other/")];
    let config = load(file, &variables, &[("outputs.siem.spool_bytes", "2MiB")]).unwrap();
    let opened: Vec<_> = config.outputs().iter().map(|one| one.open().unwrap()).collect();
    let names: Vec<&str> = opened.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["hook", "siem"]);
    assert_eq!(opened[0].target.place(), "http://other");
    assert_eq!(opened[0].route.rules, ["hbt.*"]);
    assert_eq!(opened[1].target.place(), "udp://loghost:514");
    assert_eq!(opened[1].spool_bytes, 2 << 20);
    for one in &opened {
        assert_eq!(one.route.min_priority, hanabi_event::Priority::Error, "of the pattern");
    }
    assert!(config.warnings().is_empty());
    assert!(load("", &[], &[]).unwrap().outputs().is_empty());
    let set = [("outputs.out.kind", "stdout")];
    assert_eq!(load("", &[], &set).unwrap().outputs()[0].open().unwrap().name, "out");
}

#[test]
fn what_is_wrong_with_an_output_is_told_by_its_name() {
    insta::assert_snapshot!(
        problems(
            "[outputs.a]\nkind = \"mail\"\n[outputs.b]\nkind = \"webhook\"\nto = \"http://u:p@h/\"\n\
             text = \"{sumary}\"\n[outputs.c]\nkind = \"file\"\nformt = \"json\"\n[outputs.B-1]\n\
             kind = \"stdout\"\n[outputs.d]\n[outputs.e]\nkind = \"syslog\"\nto = \"loghost\""
        ),
        @r#"
    the configuration is not valid
      outputs.B-1.kind (FILE) names an output "B-1", and names are small letters, digits and `_`, up to 32 of them, a letter first
      outputs.c.formt (FILE) is not a known key; did you mean `outputs.c.format`?
      outputs.d (FILE) is no section with keys in it; an output has at least `kind`
      outputs.a.kind = "mail" (FILE) must be one of webhook, alertmanager, syslog, file, stdout
      outputs.a.to = "" (default) must be http://HOST:PORT/PATH or https://HOST:PORT/PATH, without a password; put a token into a file, see token_file
      outputs.b.to = "http://u:p@h/" (FILE) must be http://HOST:PORT/PATH or https://HOST:PORT/PATH, without a password; put a token into a file, see token_file
      outputs.b.text = "{sumary}" (FILE) has {sumary}, which is none of summary, summary_zh, rule, kind, priority, score, container, container_id, image, namespace, pod, host, identity, process, executable, command, parent, token, value, mitre, count, state, id, fingerprint, time, link
      outputs.c.to = "" (default) must be a path
      outputs.e.to = "loghost" (FILE) must be udp://HOST:PORT, tcp://HOST:PORT or unix:///PATH, as in udp://127.0.0.1:514
    "#
    );
    let token = "[outputs.a]\nkind = \"webhook\"\nto = \"http://h\"\ntoken_file = \"/nowhere/t\"";
    let why = load(token, &[], &[]).unwrap().outputs()[0].open().unwrap_err();
    assert!(format!("{why:#}").contains("/nowhere/t"), "{why:#}");
}

#[test]
fn unknown_keys_are_refused_by_name() {
    insta::assert_snapshot!(
        problems("listen = \"127.0.0.1:1\"\n[learn]\nwarmpu = \"1s\"\nsecrets = 1\n[lern]\nwarmup = \"1s\""),
        @r"
    the configuration is not valid
      learn.secrets (FILE) is not a known key
      learn.warmpu (FILE) is not a known key; did you mean `learn.warmup`?
      lern.warmup (FILE) is not a known key; did you mean `learn.warmup`?
      listen (FILE) is not a known key; did you mean `server.listen`?
    "
    );
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    insta::assert_snapshot!(
        problems("[learn]\nwarmup = 45\nmin_events = \"many\"\n[metrics]\nk8s_pod = 1\n[sources]\nlist = [1]"),
        @r#"
    the configuration is not valid
      learn.min_events = "many" (FILE) must be a whole number
      learn.warmup = 45 (FILE) must be a string in quotes, such as "45s"
      metrics.k8s_pod = 1 (FILE) must be true or false
      sources.list = [1] (FILE) must be a list of strings
    "#
    );
}

#[test]
fn bounds_are_named() {
    insta::assert_snapshot!(
        problems(
            "[learn]\nwarmup = \"45\"\nmin_time = \"10s\"\nmax_time = \"5s\"\nnovelty = 0\nmin_events = -1\n\
             [ingest]\nqueue_bytes = \"2MiB\"\n[detect]\nmatcher = \"fuzzy\"\nthreshold = 1.5\n\
             [alerts]\nrule_min_priority = \"loud\"\n[server]\nlisten = \"0.0.0.0:8000\"\ndata_dir = \"\"\n\
             [sources]\nlist = [\"nats:falco\", \"stdin\", \"-\"]\ndocker_host = \"/run/docker.sock\""
        ),
        @r#"
    the configuration is not valid
      server.data_dir = "" (FILE) must not be empty
      server.listen = "0.0.0.0:8000" (FILE) is not a loopback address, and everybody could do everything there: set auth.mode = "required" and make a token (hanabi token create), or set auth.allow_remote_without_authentication = true
      server.listen = "0.0.0.0:8000" (FILE) is not a loopback address, and tokens could be read on the way there: set tls.cert_file and tls.key_file, or set tls.allow_remote_without_tls = true where a proxy in front has TLS
      sources.list = ["nats:falco", "stdin", "-"] (FILE) has "nats:falco", which is a source that this version does not have (`nats`); pipe its lines in instead, as in `tail -F FILE | hanabi run --source stdin`
      sources.list = ["nats:falco", "stdin", "-"] (FILE) names "-" twice
      sources.docker_host = "/run/docker.sock" (FILE) must be unix://PATH or tcp://HOST:PORT
      ingest.body_limit = "16MiB" (default) must be from 1MiB to 2MiB
      learn.warmup = "45" (FILE) has a number without a unit (ms, s, m, h, d); write a duration such as "45s", "10m" or "24h"
      learn.min_events = -1 (FILE) must be from 1 to 1000000000
      learn.novelty = 0.0 (FILE) must be above 0 and at most 0.5
      learn.max_time = "5s" (FILE) must be from 10s to 366d
      detect.matcher = "fuzzy" (FILE) must be one of structural, exact, embedding
      detect.threshold = 1.5 (FILE) must be from 0 to 1
      alerts.rule_min_priority = "loud" (FILE) must be one of Debug, Informational, Notice, Warning, Error, Critical, Alert, Emergency
    "#
    );
}

#[test]
fn broken_toml_names_the_line() {
    let text = problems("[learn]\nwarmup = \"45s\nmin_events = 3");
    assert!(text.contains("line 2 (FILE) is not TOML"), "{text}");
}

#[test]
fn a_missing_file_is_named() {
    let overrides = Overrides { file: Some("/nowhere/hanabi.toml".into()), values: Vec::new() };
    let text = Config::load(&overrides, []).unwrap_err().to_string();
    assert!(text.contains("/nowhere/hanabi.toml) cannot be read"), "{text}");
}

#[test]
fn variables_of_other_programs_only_warn() {
    let variables = [
        ("HANABI_SERVER_PORT", "tcp://10.0.0.1:80"),
        ("HANABI_LEARN_WARMPU", "1s"),
        ("HANABI_CONFIG", "x"),
        ("PATH", "/bin"),
    ];
    let config = load("", &variables, &[]).unwrap();
    assert_eq!(
        config.warnings(),
        [
            "environment variable HANABI_SERVER_PORT is no key",
            "environment variable HANABI_LEARN_WARMPU is no key (did you mean HANABI_LEARN_WARMUP?)"
        ]
    );
}

#[test]
fn the_matcher_embedding_needs_its_feature_and_a_model() {
    let text = problems("[detect]\nmatcher = \"embedding\"\nembedding_threshold = 1.0");
    assert!(text.contains("detect.embedding_threshold = 1.0 (FILE) must be from 0.05 to 0.95"));
    let built = cfg!(feature = "embedding");
    let expected = if built { "detect.embedding_dir = \"\" (default)" } else { "--features" };
    assert!(text.contains(expected), "{text}");

    let problem = |built, directory: &str| super::validate::embedding(built, directory.as_ref());
    let (key, why) = problem(false, "/opt/model").unwrap();
    assert_eq!(key, "detect.matcher");
    assert!(why.contains("cargo build --release --features embedding"), "{why}");
    assert_eq!(problem(true, "").unwrap().0, "detect.embedding_dir");
    assert_eq!(problem(true, "/opt/model"), None);
}

#[test]
fn dockers_own_variable_counts_where_nothing_else_is_said() {
    let told = |file: &str, variables: &[(&str, &str)]| {
        load(file, variables, &[]).unwrap().docker_host().to_owned()
    };
    let named = "[sources]\ndocker_host = \"tcp://other:2375\"";
    let own = ("HANABI_SOURCES_DOCKER_HOST", "unix:///own.sock");
    let docker = ("DOCKER_HOST", "tcp://engine:2375");
    assert_eq!(told("", &[docker]), "tcp://engine:2375");
    assert_eq!(told(named, &[docker]), "tcp://other:2375");
    for order in [[docker, own], [own, docker]] {
        assert_eq!(told("", &order), "unix:///own.sock");
    }
    for none in ["", "ssh://root@engine"] {
        assert_eq!(told("", &[("DOCKER_HOST", none)]), "unix:///var/run/docker.sock");
    }
}

#[test]
fn servers_are_named_by_plain_urls() {
    for (url, why) in [
        ("prometheus:9090", "must be empty, or http://HOST:PORT/PATH"),
        ("ftp://prometheus", "must be empty, or http://"),
        ("http://prometheus/?a=b", "must be empty, or http://"),
        ("http://user:secret@prometheus:9090", "see series.prometheus_token_file"),
    ] {
        let said = load("", &[], &[("series.prometheus_url", url)]).unwrap_err();
        assert!(said.contains(why), "{url}: {said}");
    }
    let set = [
        ("series.prometheus_url", "https://prometheus:9090/base"),
        ("series.prometheus_token_file", "/no/such/file"),
    ];
    let config = load("", &[], &set).unwrap();
    let door = config.series().prometheus.clone().unwrap();
    assert_eq!(door.url, "https://prometheus:9090/base");
    assert!(format!("{:#}", door.token().unwrap_err()).contains("/no/such/file"));
    assert!(config.series().remote_write.is_none());
}

#[test]
fn dashboards_are_below_the_grafana_that_is_named() {
    let set = |url: &str, boards: &str| {
        let file = format!("[console]\ngrafana_url = {url:?}\ngrafana_dashboards = {boards}\n");
        load(&file, &[], &[])
    };
    for (url, boards, why) in [
        ("grafana:3000", "[]", "must be empty, or http://HOST:PORT/PATH"),
        ("https://u:secret@grafana", "[]", "must be empty, or http://HOST"),
        ("javascript:alert(1)", "[]", "must be empty, or http://HOST"),
        ("", "['A=/d/a']", "console.grafana_url does not say"),
        ("https://grafana", "['/d/a']", "is not NAME=PATH"),
        ("https://grafana", "['=/d/a']", "has a name that is empty"),
        ("https://grafana", "['A=@evil.example/d/a']", "does not begin with /"),
        ("https://grafana", &format!("{:?}", ["A=/d"; 21]), "has 21 dashboards; at most 20"),
    ] {
        let said = set(url, boards).unwrap_err();
        assert!(said.contains(why), "{url} {boards}: {said}");
    }
    assert!(load("", &[], &[]).unwrap().grafana().is_none());
    let config = set("https://grafana:3000/base/", "['A b=/d/a?kiosk', 'B=//evil/d']").unwrap();
    let grafana = config.grafana().unwrap();
    assert_eq!(grafana.origin, "https://grafana:3000");
    let urls: Vec<&str> = grafana.dashboards.iter().map(|one| one.url.as_str()).collect();
    assert_eq!(urls, ["https://grafana:3000/base/d/a?kiosk", "https://grafana:3000/base//evil/d"]);
    assert_eq!(grafana.dashboards[0].name, "A b");
}

#[test]
fn other_addresses_need_authentication_and_tls_or_a_plain_word() {
    let auth = "[auth]\nmode = \"required\"\n";
    let open = "[auth]\nallow_remote_without_authentication = true\n";
    let tls = "[tls]\ncert_file = \"c\"\nkey_file = \"k\"\n";
    let plain = "[tls]\nallow_remote_without_tls = true\n";
    for (listen, sections, refused) in [
        ("127.0.0.1:1", [""; 2], 0),
        ("localhost:1", [""; 2], 0),
        ("[::1]:1", [""; 2], 0),
        ("[::ffff:127.0.0.1]:1", [""; 2], 0),
        ("0.0.0.0:1", [""; 2], 2),
        ("[::]:1", [auth, ""], 1),
        ("10.0.0.1:1", [tls, ""], 1),
        ("10.0.0.1:1", [auth, tls], 0),
        ("10.0.0.1:1", [auth, plain], 0),
        ("10.0.0.1:1", [open, plain], 0),
        ("10.0.0.1:1", [open, tls], 0),
        ("127.0.0.1:1", [auth, ""], 0),
    ] {
        let file = format!("[server]\nlisten = \"{listen}\"\n{}", sections.concat());
        let problems = load(&file, &[], &[]).err().unwrap_or_default();
        let named = problems.matches("is not a loopback address").count();
        assert_eq!(named, refused, "{listen} {sections:?}: {problems}");
        assert_eq!(problems.is_empty(), refused == 0, "{problems}");
    }
}

#[test]
fn keys_of_signed_tokens_and_tls_are_whole() {
    let whole = "[auth]\njwt_keys = [\"ES256:/k.pem\"]\njwt_issuer = \"i\"\njwt_audience = \"a\"";
    let config = load(whole, &[], &[]).unwrap();
    let jwt = config.auth().jwt.clone().unwrap();
    assert_eq!(jwt.keys, [(hanabi_api::JwtAlgorithm::Es256, "/k.pem".into())]);
    assert!(load("", &[], &[]).unwrap().auth().jwt.is_none());
    insta::assert_snapshot!(
        problems(
            "[auth]\njwt_keys = [\"none:/k\", \"RS256:\", \"RS256:/k\"]\njwt_leeway = \"1h\"\n\
             [tls]\ncert_file = \"c\"\nclient_role = \"root\""
        ),
        @r#"
    the configuration is not valid
      auth.jwt_keys = ["none:/k", "RS256:", "RS256:/k"] (FILE) has "none:/k", which is not HS256:FILE, RS256:FILE or ES256:FILE
      auth.jwt_keys = ["none:/k", "RS256:", "RS256:/k"] (FILE) has "RS256:", which is not HS256:FILE, RS256:FILE or ES256:FILE
      auth.jwt_leeway = "1h" (FILE) must be from 0s to 10m
      auth.jwt_issuer = "" (default) must be set where there are keys: a token that was signed for somebody else would count here
      auth.jwt_audience = "" (default) must be set where there are keys: a token that was signed for somebody else would count here
      tls.client_role = "root" (FILE) must be one of viewer, analyst, admin, ingest, metrics
      tls.key_file = "" (default) must be set with tls.cert_file
    "#
    );
    assert!(problems("[tls]\nclient_ca_file = \"c\"").contains("needs tls.cert_file"));
}
