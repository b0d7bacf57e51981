//! A container as the engine describes it.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;

/// The engine answers questions at once, or not at all.
const ANSWER: Duration = Duration::from_secs(10);

/// What matters of a container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) running: bool,
    /// Tells one run of it from the next.
    pub(super) started: String,
    pub(super) tty: bool,
    /// Its log driver.
    pub(super) driver: String,
    /// Its log is cut into files, of which the oldest go.
    pub(super) rotates: bool,
}

/// The container of a name or an id; none where there is none.
pub(super) async fn inspect(docker: &Docker, name: &str) -> Result<Option<Found>, Error> {
    let asked = tokio::time::timeout(ANSWER, docker.inspect_container(name, None)).await;
    match asked {
        Ok(Ok(answer)) => Ok(found(answer)),
        Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => Ok(None),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::RequestTimeoutError),
    }
}

fn found(answer: ContainerInspectResponse) -> Option<Found> {
    let state = answer.state.unwrap_or_default();
    let log = answer.host_config.and_then(|host| host.log_config).unwrap_or_default();
    let driver = log.typ.unwrap_or_default();
    Some(Found {
        id: answer.id?,
        // One that is about to be started again counts as running for the engine.
        running: state.running.unwrap_or(false) && !state.restarting.unwrap_or(false),
        started: state.started_at.unwrap_or_default(),
        tty: answer.config.and_then(|config| config.tty).unwrap_or(false),
        rotates: rotates(&driver, &log.config.unwrap_or_default()),
        driver,
    })
}

/// `json-file` rotates when it is told how large a file may be, `journald` is the journal's, and
/// what the engine keeps of other drivers is in the format of `local`, which always rotates.
fn rotates(driver: &str, options: &HashMap<String, String>) -> bool {
    match driver {
        "json-file" => options.get("max-size").is_some_and(|size| size != "-1"),
        "journald" => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_that_rotate_are_known_by_their_driver_and_its_options() {
        for (driver, size, expected) in [
            ("json-file", None, false),
            ("json-file", Some("-1"), false),
            ("json-file", Some("2m"), true),
            ("journald", None, false),
            ("local", None, true),
            ("fluentd", None, true),
        ] {
            let size = size.map(|size| ("max-size".to_owned(), size.to_owned()));
            assert_eq!(rotates(driver, &size.into_iter().collect()), expected, "{driver}");
        }
    }
}
