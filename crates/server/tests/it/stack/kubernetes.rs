//! The manifests for Kubernetes: what each kind needs is there, and names refer to what exists.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::{documents, list, prometheus::RULES, root, succeeds, text, word, yaml};
use crate::{metrics::installed, service::hanabi};

const FOLDERS: [&str; 3] = ["base", "sensor", "monitoring"];
/// What is made by hand before, since it is secret.
const SECRETS: [&str; 3] = ["hanabi-admin", "hanabi-tls", "hanabi-metrics"];

/// Which fields an object of a kind must have beside its name, as the API's own schema says; `None`
/// for a kind that is not used here.
fn required(api: &str, kind: &str) -> Option<&'static [&'static str]> {
    Some(match (api, kind) {
        ("v1", "Namespace") => &["/metadata/labels/pod-security.kubernetes.io~1enforce"],
        ("v1", "ServiceAccount") => &["/automountServiceAccountToken"],
        ("v1", "Service") => &["/spec/selector", "/spec/ports/0/port"],
        ("apps/v1", "StatefulSet") => &[
            "/spec/serviceName",
            "/spec/selector/matchLabels",
            "/spec/template/metadata/labels",
            "/spec/template/spec/containers/0/image",
            "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
        ],
        ("apps/v1", "DaemonSet") => &[
            "/spec/selector/matchLabels",
            "/spec/template/metadata/labels",
            "/spec/template/spec/containers/0/image",
        ],
        ("networking.k8s.io/v1", "NetworkPolicy") => {
            &["/spec/podSelector/matchLabels", "/spec/policyTypes", "/spec/ingress/0/from"]
        }
        ("rbac.authorization.k8s.io/v1", "Role") => &["/rules/0/verbs", "/rules/0/resources"],
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => {
            &["/roleRef/name", "/roleRef/apiGroup", "/subjects/0/kind", "/subjects/0/namespace"]
        }
        ("monitoring.coreos.com/v1", "ServiceMonitor") => {
            &["/spec/selector/matchLabels", "/spec/endpoints/0/port"]
        }
        ("monitoring.coreos.com/v1", "PrometheusRule") => &["/spec/groups/0/rules"],
        _ => return None,
    })
}

fn path(folder: &str, file: &str) -> String {
    format!("deploy/kubernetes/{folder}/{file}")
}

/// The objects of a folder, as its kustomization lists them.
fn objects(folder: &str) -> Vec<Value> {
    let kustomization = yaml(&path(folder, "kustomization.yaml"));
    let files = list(&kustomization, "/resources");
    files.iter().flat_map(|file| documents(&path(folder, file.as_str().unwrap()))).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object["kind"] == kind)
}

/// The set or daemon set of a folder.
fn workload(objects: &[Value]) -> &Value {
    of_kind(objects, "StatefulSet").or_else(|| of_kind(objects, "DaemonSet")).unwrap()
}

/// True where all labels of a selector are among others.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}

#[test]
fn every_object_has_what_its_kind_needs() {
    for folder in FOLDERS {
        let kustomization = yaml(&path(folder, "kustomization.yaml"));
        assert_eq!(word(&kustomization, "/kind"), "Kustomization");
        let mut names = BTreeSet::new();
        for object in objects(folder) {
            let (kind, name) = (word(&object, "/kind"), word(&object, "/metadata/name"));
            let needed = required(word(&object, "/apiVersion"), kind)
                .unwrap_or_else(|| panic!("{folder}: {kind} is of no known kind"));
            for pointer in needed {
                assert!(object.pointer(pointer).is_some(), "{folder}: {kind} has no {pointer}");
            }
            assert!(names.insert(format!("{kind} {name}")), "{folder}: {kind} {name} twice");
            // What the kustomization sets must not be said twice.
            let namespace = object.pointer("/metadata/namespace");
            assert!(namespace.is_none(), "{folder}: {kind} has a namespace of its own");
        }
        let listed = list(&kustomization, "/resources").len()
            + list(&kustomization, "/configMapGenerator").len();
        let there = std::fs::read_dir(root().join("deploy/kubernetes").join(folder)).unwrap();
        assert_eq!(there.count(), listed + 1, "{folder} has a file that nobody lists");
    }
}

#[test]
fn names_refer_to_what_exists() {
    for folder in ["base", "sensor"] {
        let objects = objects(folder);
        let kustomization = yaml(&path(folder, "kustomization.yaml"));
        let workload = workload(&objects);
        let pod = workload.pointer("/spec/template/spec").unwrap();
        let labels = workload.pointer("/spec/template/metadata/labels").unwrap();
        for selector in [
            workload.pointer("/spec/selector/matchLabels"),
            of_kind(&objects, "Service").unwrap().pointer("/spec/selector"),
            of_kind(&objects, "NetworkPolicy").unwrap().pointer("/spec/podSelector/matchLabels"),
        ] {
            assert!(selects(selector.unwrap(), labels), "{folder}: {selector:?} not in {labels}");
        }
        let name = |kind: &str| word(of_kind(&objects, kind).unwrap(), "/metadata/name");
        assert_eq!(word(pod, "/serviceAccountName"), name("ServiceAccount"), "{folder}");
        assert_eq!(word(&kustomization, "/namespace"), name("Namespace"), "{folder}");
        if let Some(service) = workload.pointer("/spec/serviceName") {
            assert_eq!(service, name("Service"), "{folder}");
        }
        assert_eq!(word(pod, "/containers/0/image"), word(&kustomization, "/images/0/name"));
        volumes(folder, workload, &kustomization);
        ports(folder, pod, of_kind(&objects, "Service").unwrap());
    }
}

/// Every mount has its volume, every volume its mount, and each comes from somewhere.
fn volumes(folder: &str, workload: &Value, kustomization: &Value) {
    let pod = workload.pointer("/spec/template/spec").unwrap();
    let maps: BTreeSet<&str> =
        list(kustomization, "/configMapGenerator").iter().map(|one| word(one, "/name")).collect();
    let mut there: BTreeSet<&str> = list(workload, "/spec/volumeClaimTemplates")
        .iter()
        .map(|claim| word(claim, "/metadata/name"))
        .collect();
    for volume in list(pod, "/volumes") {
        if let Some(map) = volume.pointer("/configMap/name") {
            assert!(maps.contains(map.as_str().unwrap()), "{folder}: {map}");
        } else if let Some(secret) = volume.pointer("/secret/secretName") {
            assert!(SECRETS.contains(&secret.as_str().unwrap()), "{folder}: {secret}");
        } else {
            assert!(volume.get("hostPath").is_some(), "{folder}: {volume}");
        }
        there.insert(word(volume, "/name"));
    }
    let mounts = list(pod, "/containers/0/volumeMounts");
    let mounted: BTreeSet<&str> = mounts.iter().map(|mount| word(mount, "/name")).collect();
    assert_eq!(mounted, there, "{folder}");
}

fn ports(folder: &str, pod: &Value, service: &Value) {
    let named = word(pod, "/containers/0/ports/0/name");
    assert_eq!(word(service, "/spec/ports/0/targetPort"), named, "{folder}");
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let get = pod.pointer(&format!("/containers/0/{probe}/httpGet")).unwrap();
        assert_eq!(word(get, "/port"), named, "{folder}: {probe}");
        assert_eq!(word(get, "/scheme"), "HTTPS", "{folder}: {probe}");
        let (route, access) = (word(get, "/path"), text("crates/api/src/auth/access.rs"));
        assert!(access.contains(&format!("(\"GET\", \"{route}\", Access::Open)")), "{route}");
    }
}

#[test]
fn pods_have_no_rights_that_they_do_not_need() {
    let all = ["base", "sensor"].map(|folder| (folder, objects(folder)));
    for (folder, objects) in &all {
        let pod = workload(objects).pointer("/spec/template/spec").unwrap();
        let rights = &pod["containers"][0]["securityContext"];
        assert_eq!(rights["allowPrivilegeEscalation"], false, "{folder}");
        assert_eq!(rights["readOnlyRootFilesystem"], true, "{folder}");
        assert_eq!(rights["capabilities"]["drop"], serde_json::json!(["ALL"]), "{folder}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{folder}");
        assert!(rights.get("privileged").is_none(), "{folder}");
        let is_sensor = *folder == "sensor";
        assert_eq!(rights["capabilities"].get("add").is_some(), is_sensor, "{folder}");
        assert_eq!(pod.get("hostPID").is_some(), is_sensor, "{folder}");
    }
    let pod = workload(&all[0].1).pointer("/spec/template/spec").unwrap();
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    // The user whose the data directory of the image is.
    let user = pod["securityContext"]["runAsUser"].as_u64().unwrap();
    assert!(text("Dockerfile").contains(&format!("USER {user}:{user}")));
}

#[test]
fn the_service_takes_the_configuration_of_the_manifests() {
    for folder in ["base", "sensor"] {
        let given = text(&path(folder, "hanabi.toml"));
        let given = given.replace("\"sensor\"", "\"stdin\"");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hanabi.toml");
        std::fs::write(&file, given).unwrap();
        let mut check = hanabi();
        // What the image sets.
        check.env("HANABI_SERVER_LISTEN", "0.0.0.0:8000").env("HANABI_AUTH_MODE", "required");
        succeeds(check.args(["config", "check"]).arg(&file));
    }
}

#[test]
fn the_operator_gets_the_rules_that_promtool_has_checked() {
    let groups: Vec<Value> =
        RULES.iter().flat_map(|path| list(&yaml(path), "/groups").to_vec()).collect();
    let rule = yaml(&path("monitoring", "prometheus-rule.yaml"));
    assert_eq!(
        list(&rule, "/spec/groups"),
        groups,
        "copy prometheus/rules into prometheus-rule.yaml"
    );
    let (objects, base) = (objects("monitoring"), objects("base"));
    let monitor = of_kind(&objects, "ServiceMonitor").unwrap();
    let port = word(of_kind(&base, "Service").unwrap(), "/spec/ports/0/name");
    assert_eq!(word(monitor, "/spec/endpoints/0/port"), port);
    let labels = yaml(&path("base", "kustomization.yaml"))["labels"][0]["pairs"].clone();
    assert!(selects(monitor.pointer("/spec/selector/matchLabels").unwrap(), &labels));
    let token = word(monitor, "/spec/endpoints/0/authorization/credentials/name");
    assert!(SECRETS.contains(&token));
    for secret in SECRETS {
        assert!(text("docs/install.md").contains(secret), "no word of how {secret} is made");
    }
    let binding = of_kind(&objects, "RoleBinding").unwrap();
    let granted = of_kind(&objects, "Role").unwrap();
    assert_eq!(word(binding, "/roleRef/name"), word(granted, "/metadata/name"));
}

/// Debian has no kustomize that is new enough, so this runs where somebody has one.
#[test]
fn kustomize_builds_every_folder() {
    let Some(kubectl) = installed("kubectl") else { return };
    for folder in FOLDERS {
        let at = root().join("deploy/kubernetes").join(folder);
        let output = Command::new(&kubectl).arg("kustomize").arg(&at).output().unwrap();
        if super::said(&output).contains("unknown field") {
            eprintln!("SKIPPED: this kubectl is older than 1.21");
            return;
        }
        assert!(output.status.success(), "{folder}: {}", super::said(&output));
        let built: Vec<Value> =
            serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap();
        assert!(built.len() >= objects(folder).len(), "{folder}");
        for object in &built {
            let needed = required(word(object, "/apiVersion"), word(object, "/kind"));
            let is_map = object["kind"] == "ConfigMap";
            assert!(needed.is_some() || is_map, "{folder}: {object}");
        }
    }
}
