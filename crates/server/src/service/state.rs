//! The engine's state as bytes, and back.
//!
//! Every value is a version byte and self-describing `MessagePack`, so that fields can be added.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use anyhow::Context as _;
use hanabi_detect::{Maintenance, Router, SHARDS, Settings, Shard, ShardRest, Suppression, Watch};
use hanabi_ingest::Position;
use hanabi_store::{Restored, Store};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::commands::failure::Hint as _;

const VERSION: u8 = 1;
/// Where profiles go that cannot be read, below the data directory.
const SET_ASIDE: &str = "set-aside";

/// Everything of the engine but the watches.
#[derive(Deserialize)]
struct EngineState {
    router: Router,
    shards: Vec<ShardState>,
}

#[derive(Deserialize)]
struct ShardState {
    rest: ShardRest,
    /// The identities of its watches, in order.
    identities: Vec<String>,
}

/// The same, borrowed for writing.
#[derive(Serialize)]
struct EngineRef<'a> {
    router: &'a Router,
    shards: Vec<ShardRef<'a>>,
}

#[derive(Serialize)]
struct ShardRef<'a> {
    rest: ShardRest,
    identities: Vec<&'a str>,
}

/// Totals and switches that outlive the process and are nobody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counters {
    /// Lines dropped before they were read, by reason.
    pub(crate) dropped: BTreeMap<String, u64>,
    /// Sources that a person has paused, by id: a restart is no reason to go on.
    pub(crate) paused: BTreeSet<String>,
}

/// What a start begins with.
pub(crate) struct Start {
    pub(crate) router: Router,
    pub(crate) shards: Vec<Shard>,
    /// The last checkpoint's; 0 in a new directory.
    pub(crate) sequence: u64,
    pub(crate) positions: BTreeMap<String, Position>,
    pub(crate) counters: Counters,
    pub(crate) suppressions: Vec<Suppression>,
    pub(crate) maintenance: Vec<Maintenance>,
    /// Profiles that could not be read and begin anew.
    pub(crate) set_aside: u64,
}

/// A watch as it is stored.
pub(crate) fn pack<T: Serialize>(value: &T) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![VERSION];
    rmp_serde::encode::write_named(&mut bytes, value)?;
    Ok(bytes)
}

/// The inverse of [`pack`].
pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> anyhow::Result<T> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rmp_serde::from_slice(rest)?),
        Some((version, _)) => anyhow::bail!(
            "it is of version {version}, and this program knows versions up to {VERSION}"
        ),
        None => anyhow::bail!("it is empty"),
    }
}

/// Everything of the engine but the watches, as it is stored.
pub(crate) fn pack_engine<'a>(
    router: &Router,
    shards: impl Iterator<Item = &'a Shard>,
) -> anyhow::Result<Vec<u8>> {
    let shards = shards
        .map(|shard| ShardRef {
            rest: shard.rest(),
            identities: shard.watches().iter().map(|w| w.profile.identity.as_str()).collect(),
        })
        .collect();
    pack(&EngineRef { router, shards })
}

/// The last checkpoint's state, or an empty one.
pub(crate) fn restore(store: &Store, settings: &Settings) -> anyhow::Result<Start> {
    let restored = store.restore()?;
    let positions = positions(&restored)?;
    let Some(sequence) = restored.sequence else {
        return Ok(Start {
            router: Router::new(settings.include_host),
            shards: Vec::new(),
            sequence: 0,
            positions,
            counters: Counters::default(),
            suppressions: Vec::new(),
            maintenance: Vec::new(),
            set_aside: 0,
        });
    };
    let unreadable = || {
        format!("restore {} from a backup, or move it away to start anew", store.dir().display())
    };
    let state: EngineState = unpack(&restored.engine)
        .with_context(|| format!("failed to read checkpoint {sequence} of the engine"))
        .hint(unreadable())?;
    let counters = unpack(&restored.counters)
        .with_context(|| format!("failed to read the totals of checkpoint {sequence}"))
        .hint(unreadable())?;
    let blobs: HashMap<&str, &[u8]> =
        restored.profiles.iter().map(|(name, blob)| (name.as_str(), blob.as_slice())).collect();
    let now = state.router.now();
    let reader = Reader { blobs, dir: store.dir(), settings, now };
    let (shards, set_aside) = reader.shards(state.shards);
    Ok(Start {
        router: state.router,
        shards,
        sequence,
        positions,
        counters,
        suppressions: restored.suppressions,
        maintenance: restored.maintenance,
        set_aside,
    })
}

fn positions(restored: &Restored) -> anyhow::Result<BTreeMap<String, Position>> {
    restored
        .positions
        .iter()
        .map(|(source, bytes)| {
            let position = serde_json::from_slice(bytes)
                .with_context(|| format!("failed to read how far source {source} was read"))?;
            Ok((source.clone(), position))
        })
        .collect()
}

struct Reader<'a> {
    blobs: HashMap<&'a str, &'a [u8]>,
    dir: &'a Path,
    settings: &'a Settings,
    now: u64,
}

impl Reader<'_> {
    /// Reads the shards on all cores: a thousand profiles must not keep a start waiting.
    fn shards(&self, states: Vec<ShardState>) -> (Vec<Shard>, u64) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut lanes: Vec<Vec<(usize, ShardState)>> = (0..threads).map(|_| Vec::new()).collect();
        for (index, state) in states.into_iter().enumerate() {
            lanes[index % threads].push((index, state));
        }
        let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
        let mut set_aside = 0;
        std::thread::scope(|scope| {
            let lanes: Vec<_> = lanes
                .into_iter()
                .map(|lane| {
                    scope.spawn(move || {
                        lane.into_iter().map(|(i, s)| (i, self.shard(s))).collect::<Vec<_>>()
                    })
                })
                .collect();
            for lane in lanes {
                let Ok(read) = lane.join() else {
                    unreachable!("reading a shard does not panic");
                };
                for (index, (shard, aside)) in read {
                    set_aside += aside;
                    if let Some(place) = shards.get_mut(index) {
                        *place = shard;
                    }
                }
            }
        });
        (shards, set_aside)
    }

    fn shard(&self, state: ShardState) -> (Shard, u64) {
        let mut set_aside = Vec::new();
        let mut watches = Vec::with_capacity(state.identities.len());
        for (slot, identity) in state.identities.iter().enumerate() {
            let blob = self.blobs.get(identity.as_str()).copied().unwrap_or_default();
            watches.push(unpack(blob).unwrap_or_else(|error| {
                self.set_aside(identity, blob, &error);
                set_aside.push(slot as u32);
                // Its place must not be taken by another: the router knows it by number.
                Watch::new(identity, self.now, self.settings)
            }));
        }
        let mut shard = Shard::restore(watches, state.rest);
        for slot in &set_aside {
            shard.mark(*slot);
        }
        (shard, set_aside.len() as u64)
    }

    fn set_aside(&self, identity: &str, blob: &[u8], error: &anyhow::Error) {
        let name: String = identity
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .take(120)
            .collect();
        let path = self.dir.join(SET_ASIDE).join(format!("{name}-{:x}", self.now));
        let kept = std::fs::create_dir_all(self.dir.join(SET_ASIDE))
            .and_then(|()| std::fs::write(&path, blob));
        let kept = match kept {
            Ok(()) => format!("its bytes are kept in {}", path.display()),
            Err(error) => format!("its bytes could not be kept in {}: {error}", path.display()),
        };
        tracing::error!(
            "the stored profile of {identity} cannot be read and learning begins anew: {error:#}; \
             {kept}"
        );
    }
}

#[cfg(test)]
mod tests {
    use hanabi_detect::{Router, Settings, Shard, Watch};
    use hanabi_store::{Checkpoint, Store, StoreOptions};

    use super::{Counters, pack, pack_engine, restore, unpack};

    #[test]
    fn a_new_directory_begins_empty() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let start = restore(&store, &Settings::default()).unwrap();
        assert_eq!((start.sequence, start.shards.len(), start.set_aside), (0, 0, 0));
    }

    #[test]
    fn a_later_version_is_named() {
        assert_eq!(
            unpack::<Counters>(&[9, 0]).unwrap_err().to_string(),
            "it is of version 9, and this program knows versions up to 1"
        );
        assert_eq!(unpack::<Counters>(&[]).unwrap_err().to_string(), "it is empty");
        let counters = Counters {
            dropped: [("closed".to_owned(), 3)].into(),
            paused: ["stdin".to_owned()].into(),
        };
        assert_eq!(unpack::<Counters>(&pack(&counters).unwrap()).unwrap(), counters);
    }

    #[test]
    fn a_broken_profile_is_set_aside_and_the_others_start() {
        let settings = Settings::default();
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let watches = ["a", "b", "c"].map(|name| Watch::new(name, 1, &settings)).to_vec();
        let good = pack(&watches[2]).unwrap();
        let shard = Shard::restore(watches, Shard::default().rest());
        let checkpoint = Checkpoint {
            sequence: 5,
            profiles: vec![
                ("a".into(), vec![77, 1, 2]),
                ("b".into(), good[..good.len() - 2].to_vec()),
                ("c".into(), good),
            ],
            engine: pack_engine(&Router::new(true), [&shard].into_iter()).unwrap(),
            counters: pack(&Counters::default()).unwrap(),
            ..Checkpoint::default()
        };
        store.commit(&checkpoint).unwrap();
        let start = restore(&store, &Settings::default()).unwrap();
        assert_eq!((start.sequence, start.set_aside), (5, 2));
        let names: Vec<_> =
            start.shards[0].watches().iter().map(|w| w.profile.identity.clone()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let kept = std::fs::read_dir(dir.path().join("set-aside")).unwrap().count();
        assert_eq!(kept, 2);
    }
}
