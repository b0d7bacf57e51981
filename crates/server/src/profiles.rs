//! Profiles in a directory: what one recording taught, for another to begin with.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use hanabi_detect::{Router, SHARDS, Shard, Watch};

use crate::service::state::{pack, unpack};

const ENDING: &str = "profile";

/// Writes every profile as `NAME.json`, a snapshot for people, and `NAME.profile`, for [`read`].
pub(crate) fn write<'a>(
    directory: &Path,
    watches: impl Iterator<Item = &'a Watch>,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("failed to create {}", directory.display()))?;
    for watch in watches {
        let name = file_name(&watch.profile.identity);
        let snapshot = serde_json::to_string_pretty(&watch.profile.snapshot())? + "\n";
        save(&directory.join(format!("{name}.json")), snapshot.as_bytes())?;
        save(&directory.join(format!("{name}.{ENDING}")), &pack(&watch.learned())?)?;
    }
    Ok(())
}

fn save(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("failed to write {}", path.display()))
}

/// An identity may contain what a file name may not.
fn file_name(identity: &str) -> String {
    identity
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .take(120)
        .collect()
}

/// Reads the profiles of a directory into an engine's first state. Their alerts stay behind. An
/// identity that is there more than once, learned in several places, is merged.
pub(crate) fn read(directory: &Path, router: &mut Router) -> anyhow::Result<Vec<Shard>> {
    let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("failed to read the profiles in {}", directory.display()))?;
    let mut paths: Vec<_> =
        entries.collect::<Result<Vec<_>, _>>()?.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    let mut watches = BTreeMap::<String, Watch>::new();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == ENDING)) {
        let bytes =
            std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let watch: Watch = unpack(&bytes)
            .with_context(|| format!("{} is not a stored profile", path.display()))?;
        match watches.get_mut(&watch.profile.identity) {
            Some(known) => join(known, watch),
            None => _ = watches.insert(watch.profile.identity.clone(), watch),
        }
    }
    for (identity, watch) in watches {
        let index = router.adopt(&identity);
        if let Some(shard) = shards.get_mut(index) {
            shard.adopt(watch);
        }
    }
    Ok(shards)
}

/// What two places know of one identity. What waits for a person in one of them waits here, too.
fn join(known: &mut Watch, other: Watch) {
    known.profile = known.profile.merge(&other.profile);
    for (fingerprint, item) in other.quarantine {
        let kept = known.quarantine.entry(fingerprint).or_insert_with(|| item.clone());
        kept.slots = kept.slots.max(item.slots);
        kept.last_slot = kept.last_slot.max(item.last_slot);
        kept.accepted &= item.accepted;
    }
}

#[cfg(test)]
mod tests {
    use hanabi_detect::{Router, Settings, Watch};

    use super::{read, write};

    fn learned(origin: &str) -> Watch {
        let mut watch = Watch::new("shop:web", 1, &Settings::default());
        watch.profile.learned_at(origin);
        watch.profile.events = 5;
        watch
    }

    #[test]
    fn an_identity_that_is_there_twice_is_merged() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), [learned("a")].iter()).unwrap();
        let first = directory.path().join("shop_web.profile");
        std::fs::rename(&first, directory.path().join("copy.profile")).unwrap();
        write(directory.path(), [learned("b")].iter()).unwrap();
        let mut router = Router::new(false);
        let shards = read(directory.path(), &mut router).unwrap();
        let watches: Vec<&Watch> = shards.iter().flat_map(hanabi_detect::Shard::watches).collect();
        assert_eq!(watches.len(), 1);
        assert_eq!(watches[0].profile.events, 10, "each place has counted five");
    }

    #[test]
    fn a_file_that_is_no_profile_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("x.profile"), b"\x01nothing").unwrap();
        let error = read(directory.path(), &mut Router::new(false)).unwrap_err();
        assert!(error.to_string().ends_with("x.profile is not a stored profile"), "{error}");
    }
}
