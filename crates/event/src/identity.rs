//! Which containers share a profile.
//!
//! Replicas, restarts and new versions of one thing carry names that differ only in a suffix which
//! somebody's controller made up. The identity is the name without it:
//!
//! | where | name | identity |
//! |---|---|---|
//! | Kubernetes, `ReplicaSet` | pod `web-7d4b9c6f58-x2x9z` in `shop`, container `nginx` | `shop:web:nginx` |
//! | Kubernetes, Job of a `CronJob` | pod `backup-28123456-k4zqp` | `shop:backup:…` |
//! | Kubernetes, `DaemonSet` or Job | pod `agent-x2x9z` | `shop:agent:…` |
//! | Kubernetes, `StatefulSet` | pod `db-0` | `shop:db:…` |
//! | Swarm | `web.1.0fz2ibn2q9xoiuxeo5prvzuw9` | `web` |
//! | Compose | `shop-web-2`, `shop_web_2` | `shop-web`, `shop_web` |
//! | Docker | `web` | `web` |
//! | no container | | `host` |
//!
//! With the host included, a name outside Kubernetes is `host:name`.

use crate::Container;

/// The letters of Kubernetes' random suffixes: no vowels, no look-alikes.
const RANDOM: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What a container's profile is filed under; see the module for the rules.
///
/// `include_host` puts the host before it, except in Kubernetes, where the scheduler moves pods.
/// A container without a name yet is filed under its id. `""` when there is no id either.
pub fn identity(container: &Container<'_>, host: &str, include_host: bool) -> String {
    let name = container_name(container);
    if !container.namespace.is_empty() && !container.pod.is_empty() {
        return format!("{}:{}:{name}", container.namespace, workload(container.pod));
    }
    let name = match parse_kubernetes_name(container.name) {
        Some(kubernetes) => {
            return format!("{}:{}:{name}", kubernetes.namespace, workload(kubernetes.pod));
        }
        None if container.id == "host" => "host",
        None => replica(name),
    };
    if include_host && !name.is_empty() && !host.is_empty() {
        format!("{host}:{name}")
    } else {
        name.to_owned()
    }
}

/// The container's own name, or its id in the moments before the name is known.
fn container_name<'a>(container: &Container<'a>) -> &'a str {
    if container.name.is_empty() {
        return container.id;
    }
    parse_kubernetes_name(container.name).map_or(container.name, |kubernetes| kubernetes.container)
}

/// The parts of the name that the kubelet gives a container in Docker.
struct KubernetesName<'a> {
    container: &'a str,
    pod: &'a str,
    namespace: &'a str,
}

/// `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`.
fn parse_kubernetes_name(name: &str) -> Option<KubernetesName<'_>> {
    let mut parts = name.strip_prefix("k8s_")?.split('_');
    let (container, pod, namespace) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = [container, pod, namespace].iter().all(|part| !part.is_empty());
    (whole && parts.count() == 2).then_some(KubernetesName { container, pod, namespace })
}

/// A pod's name without what its controllers appended.
///
/// The longest rule that fits wins: a template hash or a `CronJob`'s time before the random suffix,
/// the random suffix alone, an ordinal. A name that consists of nothing else is kept.
fn workload(pod: &str) -> &str {
    let Some((owner, last)) = split_suffix(pod) else {
        return pod;
    };
    if !is_random(last, 5..=5) {
        return if is_number(last, 1..=5) { owner } else { pod };
    }
    match split_suffix(owner) {
        Some((workload, hash)) if is_random(hash, 9..=10) => workload,
        Some((workload, time)) if is_number(time, 8..=8) || is_number(time, 10..=10) => workload,
        _ => owner,
    }
}

/// A container's name without what tells one replica from the next.
fn replica(name: &str) -> &str {
    // Swarm: <service>.<slot>.<task id>.
    if let Some((rest, task)) = name.rsplit_once('.')
        && task.len() == 25
        && task.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && let Some((service, slot)) = rest.rsplit_once('.')
        && !service.is_empty()
        && !slot.is_empty()
    {
        return service;
    }
    // Compose: <project>-<service>-<n>, of the older one <project>_<service>_<n>.
    for separator in ['-', '_'] {
        if let Some((rest, number)) = name.rsplit_once(separator)
            && is_number(number, 1..=4)
            && rest.split_once(separator).is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
        {
            return rest;
        }
    }
    name
}

fn split_suffix(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('-').filter(|(rest, _)| !rest.is_empty())
}

fn is_random(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| RANDOM.contains(&byte))
}

fn is_number(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{identity, replica, workload};
    use crate::Container;

    #[test]
    fn workloads() {
        for (pod, expected) in [
            ("web-7d4b9c6f58-x2x9z", "web"),
            ("my-web-app-7d4b9c6f5-x2x9z", "my-web-app"),
            ("agent-x2x9z", "agent"),
            ("backup-28123456-k4zqp", "backup"),
            ("backup-1612345678-k4zqp", "backup"),
            ("backup-281234567-k4zqp", "backup-281234567"),
            ("db-0", "db"),
            ("db-12", "db"),
            ("my-db-0", "my-db"),
            ("db-123456", "db-123456"),
            ("web", "web"),
            ("web-app", "web-app"),
            // Five letters, but with a vowel: a name, not a suffix.
            ("web-proxy", "web-proxy"),
            ("web-7d4b9c6f58", "web-7d4b9c6f58"),
            ("-x2x9z", "-x2x9z"),
            ("web-", "web-"),
            ("", ""),
            ("a-7d4b9c6f58-x2x9z-extra", "a-7d4b9c6f58-x2x9z-extra"),
            ("7d4b9c6f58-x2x9z", "7d4b9c6f58"),
        ] {
            assert_eq!(workload(pod), expected, "{pod}");
        }
    }

    #[test]
    fn replicas() {
        for (name, expected) in [
            ("web", "web"),
            ("web.1.0fz2ibn2q9xoiuxeo5prvzuw9", "web"),
            ("shop_web.12.0fz2ibn2q9xoiuxeo5prvzuw9", "shop_web"),
            ("web.node1.0fz2ibn2q9xoiuxeo5prvzuw9", "web"),
            ("web.0fz2ibn2q9xoiuxeo5prvzuw9", "web.0fz2ibn2q9xoiuxeo5prvzuw9"),
            ("web.1", "web.1"),
            ("shop-web-1", "shop-web"),
            ("shop-web-12", "shop-web"),
            ("shop_web_1", "shop_web"),
            ("my-shop-web-1", "my-shop-web"),
            ("web-1", "web-1"),
            ("postgres-15", "postgres-15"),
            ("shop-web-20261122", "shop-web-20261122"),
            ("-web-1", "-web-1"),
            ("shop--1", "shop--1"),
            ("", ""),
        ] {
            assert_eq!(replica(name), expected, "{name}");
        }
    }

    #[test]
    fn identities() {
        let docker = |id, name| Container { id, name, ..Container::default() };
        let pod = |pod| Container { namespace: "shop", pod, ..docker("abc", "nginx") };
        let kubelet = "k8s_nginx_web-7d4b9c6f58-x2x9z_shop_0c7a_0";
        let pause = "k8s_POD_web-7d4b9c6f58-x2x9z_shop_0c7a_0";
        for (container, alone, with_host) in [
            (pod("web-7d4b9c6f58-x2x9z"), "shop:web:nginx", "shop:web:nginx"),
            (pod("db-0"), "shop:db:nginx", "shop:db:nginx"),
            (Container { name: kubelet, ..pod("db-0") }, "shop:db:nginx", "shop:db:nginx"),
            (Container { name: "", ..pod("db-0") }, "shop:db:abc", "shop:db:abc"),
            (docker("abc", kubelet), "shop:web:nginx", "shop:web:nginx"),
            (docker("abc", pause), "shop:web:POD", "shop:web:POD"),
            (docker("abc", "k8s_nginx"), "k8s_nginx", "vm:k8s_nginx"),
            (docker("abc", "web"), "web", "vm:web"),
            (docker("abc", "shop-web-2"), "shop-web", "vm:shop-web"),
            (docker("abc", ""), "abc", "vm:abc"),
            (docker("host", "host"), "host", "vm:host"),
            (docker("host", ""), "host", "vm:host"),
            (docker("", ""), "", ""),
        ] {
            assert_eq!(identity(&container, "vm", false), alone, "{container:?}");
            assert_eq!(identity(&container, "vm", true), with_host, "{container:?}");
        }
        assert_eq!(identity(&docker("abc", "web"), "", true), "web");
    }
}
