//! Profiles in a directory: what one recording taught, for another to begin with.

use std::path::Path;

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

/// Reads the profiles of a directory into an engine's first state. Their alerts stay behind.
pub(crate) fn read(directory: &Path, router: &mut Router) -> anyhow::Result<Vec<Shard>> {
    let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("failed to read the profiles in {}", directory.display()))?;
    let mut paths: Vec<_> =
        entries.collect::<Result<Vec<_>, _>>()?.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == ENDING)) {
        let bytes =
            std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
        let mut watch: Watch = unpack(&bytes)
            .with_context(|| format!("{} is not a stored profile", path.display()))?;
        watch.restore();
        let index = router.adopt(&watch.profile.identity);
        if let Some(shard) = shards.get_mut(index) {
            shard.adopt(watch);
        }
    }
    Ok(shards)
}
