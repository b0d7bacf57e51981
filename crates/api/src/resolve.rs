//! What an `{id}` means: a full id, a short id, an identity, a name, in this order.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{ApiError, Candidate};
use crate::live::{ContainerRow, Fleet};
use crate::stream::StreamScope;

/// What an `{id}` means on a route that can serve several containers of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// One container.
    Container { id: String },
    /// All containers of one identity: it was named itself, or by a name that only they have.
    Identity { identity: String },
}

impl Subject {
    /// The word by which the store knows it.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Container { id } => id,
            Self::Identity { identity } => identity,
        }
    }

    pub(crate) fn scope(&self) -> StreamScope {
        match self {
            Self::Container { id } => StreamScope::Container(Arc::from(id.as_str())),
            Self::Identity { identity } => StreamScope::Identity(Arc::from(identity.as_str())),
        }
    }
}

/// How an `{id}` was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Id,
    Identity,
    Name,
}

type Is = fn(&ContainerRow, &str) -> bool;

/// The containers that an `{id}` means, at least one.
fn hits<'a>(fleet: &'a Fleet, id: &str) -> Result<(Step, Vec<&'a ContainerRow>), ApiError> {
    let steps: [(Step, Is); 4] = [
        (Step::Id, is_full_id),
        (Step::Id, |row, id| row.short_id == id),
        (Step::Identity, |row, id| row.identity == id),
        (Step::Name, |row, id| row.name == id),
    ];
    for (step, is) in steps {
        let hits: Vec<_> = fleet.containers.iter().filter(|row| is(row, id)).collect();
        if !hits.is_empty() && !id.is_empty() {
            return Ok((step, hits));
        }
    }
    Err(ApiError::not_found("container", id))
}

/// Falco gives the first twelve digits only, so a whole id of 64 is known by its beginning.
fn is_full_id(row: &ContainerRow, id: &str) -> bool {
    row.id == id
        || (id.len() == 64
            && row.id.len() == 12
            && id.bytes().all(|b| b.is_ascii_hexdigit())
            && id.starts_with(&row.id))
}

/// The one container that an `{id}` means.
pub(crate) fn container<'a>(fleet: &'a Fleet, id: &str) -> Result<&'a ContainerRow, ApiError> {
    let (_, hits) = hits(fleet, id)?;
    match hits.as_slice() {
        [row] => Ok(row),
        _ => Err(ambiguous(id, &hits)),
    }
}

/// The container, or the containers of one profile, that an `{id}` means.
pub(crate) fn subject(fleet: &Fleet, id: &str) -> Result<Subject, ApiError> {
    let (step, hits) = hits(fleet, id)?;
    let first = hits[0];
    let one_profile = hits.iter().all(|row| row.identity == first.identity);
    match (step, hits.len()) {
        (Step::Identity, _) => Ok(Subject::Identity { identity: first.identity.clone() }),
        (_, 1) => Ok(Subject::Container { id: first.id.clone() }),
        // A restarted container and replicas have one name and one profile: nothing to choose.
        (Step::Name, _) if one_profile && !first.identity.is_empty() => {
            Ok(Subject::Identity { identity: first.identity.clone() })
        }
        _ => Err(ambiguous(id, &hits)),
    }
}

/// The identity whose profile an `{id}` means; profiles without a container are known, too.
pub(crate) fn identity(fleet: &Fleet, id: &str) -> Result<String, ApiError> {
    match hits(fleet, id) {
        Ok((_, hits)) => {
            let identities: BTreeSet<_> = hits.iter().map(|row| &row.identity).collect();
            match identities.len() {
                1 => Ok(hits[0].identity.clone()),
                _ => Err(ambiguous(id, &hits)),
            }
        }
        Err(_) if fleet.profile(id).is_some() => Ok(id.to_owned()),
        Err(_) => Err(ApiError::not_found("profile", id)),
    }
}

fn ambiguous(id: &str, hits: &[&ContainerRow]) -> ApiError {
    // More than these do not help to choose.
    const CANDIDATES_MAX: usize = 100;
    let candidates = hits
        .iter()
        .take(CANDIDATES_MAX)
        .map(|row| Candidate {
            id: row.id.clone(),
            name: row.name.clone(),
            identity: row.identity.clone(),
            host: row.host.clone(),
        })
        .collect();
    ApiError::Ambiguous { id: id.to_owned(), candidates }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> Fleet {
        let row = |id: &str, name: &str, identity: &str| ContainerRow {
            id: id.into(),
            short_id: id.chars().take(12).collect(),
            name: name.into(),
            identity: identity.into(),
            ..ContainerRow::default()
        };
        let containers = vec![
            row(&"a".repeat(64), "web", "h1:web"),
            row(&"b".repeat(12), "web", "h2:web"),
            row(&"c".repeat(12), "api", "ns:api:main"),
            row(&"d".repeat(12), "api", "ns:api:main"),
            row(&"e".repeat(12), &"b".repeat(12), "h1:trick"),
            row(&"f".repeat(12), "", ""),
        ];
        Fleet { containers, ..Fleet::default() }
    }

    #[test]
    fn the_order_of_meanings_holds() {
        let fleet = fleet();
        let full = "a".repeat(64);
        for (id, expected) in [
            (full.as_str(), full.as_str()),
            ("aaaaaaaaaaaa", full.as_str()),
            ("bbbbbbbbbbbb", "bbbbbbbbbbbb"),
            (&"b".repeat(64), "bbbbbbbbbbbb"),
            ("h1:web", full.as_str()),
        ] {
            assert_eq!(container(&fleet, id).unwrap().id, expected, "{id}");
        }
        for id in ["", "nobody", "aaaa"] {
            assert!(matches!(container(&fleet, id), Err(ApiError::NotFound { .. })), "{id}");
        }
    }

    #[test]
    fn several_hits_are_candidates() {
        let fleet = fleet();
        for id in ["web", "api", "ns:api:main"] {
            let Err(ApiError::Ambiguous { candidates, .. }) = container(&fleet, id) else {
                panic!("{id} should be ambiguous");
            };
            assert_eq!(candidates.len(), 2, "{id}");
        }
        assert!(matches!(subject(&fleet, "web"), Err(ApiError::Ambiguous { .. })));
        assert!(matches!(identity(&fleet, "web"), Err(ApiError::Ambiguous { .. })));
    }

    #[test]
    fn containers_of_one_profile_are_one_subject() {
        let fleet = fleet();
        let replicas = Subject::Identity { identity: "ns:api:main".into() };
        assert_eq!(subject(&fleet, "api").unwrap(), replicas);
        assert_eq!(subject(&fleet, "ns:api:main").unwrap(), replicas);
        assert_eq!(identity(&fleet, "api").unwrap(), "ns:api:main");
        assert_eq!(subject(&fleet, "cccccccccccc").unwrap().word(), "cccccccccccc");
    }
}
