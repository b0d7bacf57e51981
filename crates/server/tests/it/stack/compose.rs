//! The compose files: what they mount and name exists, and nothing is open.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::{list, root, succeeds, text, word, yaml};
use crate::metrics::installed;

const FILES: [&str; 2] = ["docker-compose.yml", "docker-compose.app.yml"];

fn services(file: &Value) -> impl Iterator<Item = (&String, &Value)> {
    file["services"].as_object().unwrap().iter()
}

#[test]
fn docker_compose_takes_both() {
    let Some(compose) = installed("docker-compose") else { return };
    for name in FILES {
        let mut check = Command::new(&compose);
        check.args(["--file", name, "config", "--quiet"]).current_dir(root());
        succeeds(check.env("DOCKER_GID", "999").env_remove("DOCKER_HOST"));
    }
    // Without the group of the socket nothing starts, and it is said what writes it.
    let mut check = Command::new(&compose);
    check.args(["--file", FILES[0], "config"]).current_dir(root());
    let refused = check.env("DOCKER_GID", "").output().unwrap();
    assert!(!refused.status.success());
    assert!(super::said(&refused).contains("scripts/secrets.sh"), "{refused:?}");
}

#[test]
fn only_loopback_is_published_and_authentication_stays_on() {
    for name in FILES {
        let file = yaml(name);
        for (service, what) in services(&file) {
            for port in list(what, "/ports") {
                let port = port.as_str().unwrap();
                assert!(port.starts_with("127.0.0.1:"), "{name}: {service} publishes {port}");
            }
            assert_ne!(what["network_mode"], "host", "{name}: {service}");
        }
        let hanabi = &file["services"]["hanabi"];
        let keys = hanabi["environment"].as_object().unwrap();
        assert!(!keys.contains_key("HANABI_AUTH_MODE"), "the image says that it is required");
        assert!(!keys.contains_key("HANABI_AUTH_ALLOW_REMOTE_WITHOUT_AUTHENTICATION"), "{name}");
        let reference = text("docs/configuration.md");
        for key in keys.keys() {
            assert!(reference.contains(&format!("`{key}`")), "{name} sets {key}, which is no key");
        }
        assert_eq!(hanabi["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(hanabi["read_only"], true, "{name}");
    }
}

#[test]
fn what_they_mount_and_name_exists() {
    for name in FILES {
        let file = yaml(name);
        let declared = |part: &str| -> BTreeSet<String> {
            let map = file[part].as_object();
            map.into_iter().flatten().map(|(name, _)| name.clone()).collect()
        };
        let (volumes, secrets) = (declared("volumes"), declared("secrets"));
        let mut used = BTreeSet::new();
        for (service, what) in services(&file) {
            for volume in list(what, "/volumes") {
                // With the default of the one variable: what is mounted when nobody sets it.
                let volume = volume.as_str().unwrap();
                let volume =
                    volume.replace("${FALCO_RULES:-custom_rules.yaml}", "custom_rules.yaml");
                let source = volume.split(':').next().unwrap();
                let there = match source.strip_prefix("./") {
                    Some(path) => root().join(path).exists(),
                    None => source.starts_with('/') || volumes.contains(source),
                };
                assert!(there, "{name}: {service} mounts {source}");
            }
            for secret in list(what, "/secrets") {
                let secret = secret.as_str().unwrap();
                assert!(secrets.contains(secret), "{name}: {service} wants {secret}");
                used.insert(secret.to_owned());
            }
        }
        assert_eq!(used, secrets, "{name} declares secrets that nobody reads");
        for secret in &secrets {
            let path = word(&file, &format!("/secrets/{secret}/file"));
            assert_eq!(path, format!("./secrets/{secret}"));
            assert!(text("scripts/secrets.sh").contains(secret), "nothing makes {secret}");
        }
    }
    let ignored = text(".gitignore");
    assert!(ignored.contains("/secrets/\n") && ignored.contains("/.env\n"));
    assert!(text(".dockerignore").lines().any(|line| line == "secrets"));
}

/// The whole stack as it is wired: who is scraped, who is followed.
#[test]
fn the_services_know_each_other_by_name() {
    let file = yaml("docker-compose.yml");
    let hanabi = &file["services"]["hanabi"];
    assert_eq!(hanabi["command"], serde_json::json!(["run", "--source", "docker:falco"]));
    assert_eq!(file["services"]["falco"]["container_name"], "falco");
    let prometheus = yaml("prometheus/prometheus.yml");
    for job in list(&prometheus, "/scrape_configs") {
        let target = word(job, "/static_configs/0/targets/0");
        let (host, _) = target.split_once(':').unwrap();
        assert!(host == "localhost" || file["services"].get(host).is_some(), "{target}");
    }
    let token = word(&prometheus, "/scrape_configs/0/authorization/credentials_file");
    let given = list(&file, "/services/prometheus/secrets");
    assert!(given.iter().any(|one| token == format!("/run/secrets/{}", one.as_str().unwrap())));
}
