//! The matcher: structure first, then meaning, every vector computed once.

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use hanabi_detect::matcher::{Match, SemanticMatcher, Structural};
use hanabi_profile::NodeKind;
use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    encoder::Encoder,
    error::LoadError,
    names::{Named, named},
};

/// Vectors that a service keeps. At 384 dimensions one takes 1.6 KB, all of them 13 MB; a container's
/// data files seldom have more than some hundred names.
pub const CACHED: NonZeroUsize = NonZeroUsize::new(8192).unwrap();

/// Siblings whose names are looked at; as many as the structural matcher compares.
const SCANNED: usize = 128;

/// What meaning alone can give: 1 is for the very same token.
const NEAREST: f64 = 0.99;

/// How the matcher judges.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The similarity from which a token is accepted, whoever found it; 0 to 1.
    pub threshold: f64,
    /// The cosine of two names' vectors that is worth just that similarity; above 0, below 1.
    pub cosine: f64,
    /// Learned siblings that the model compares with one token at most, the most frequent first. It
    /// bounds the time for one token: so many texts and one are read when none is cached.
    pub siblings: usize,
    /// Vectors that are kept, the least recently used leaving first.
    pub cached: NonZeroUsize,
}

/// Who is told what the matcher does, for metrics. Nothing that it does comes back.
pub trait Watch: Send + Sync {
    /// A vector was in the cache.
    fn cached(&self) {}
    /// A vector was computed, which took so long, and pushed another out of the cache or not.
    fn computed(&self, _took: Duration, _evicted: bool) {}
    /// A text could not be read, and is left to the structural matcher.
    fn failed(&self) {}
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// A vector of length 1; `None` for a text that the model cannot read.
type Vector = Option<Arc<[f32]>>;

/// Compares by structure, and by meaning where structure does not decide and meaning is in words.
///
/// The similarity of two tokens is the larger of two: the structural one, and the cosine of their
/// names' vectors, scaled so that [`Options::cosine`] is worth [`Options::threshold`], 0 nothing,
/// and 1 is 1; of meaning at most 0.99 counts. Meaning counts for names of data files with one
/// ending in one folder, and for programs, where it only chooses which one an alert calls nearest.
pub struct Embedding {
    encoder: Encoder,
    structural: Structural,
    options: Options,
    cache: Mutex<LruCache<Box<str>, Vector>>,
    watch: Box<dyn Watch>,
}

impl Embedding {
    /// With the model in `directory`; costs and errors are those of [`Encoder::load`].
    pub fn load(
        directory: &Path,
        options: Options,
        watch: Box<dyn Watch>,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            encoder: Encoder::load(directory)?,
            structural: Structural { threshold: options.threshold },
            options,
            cache: Mutex::new(LruCache::new(options.cached)),
            watch,
        })
    }

    /// How alike two names are by meaning alone; `None` where it is not compared.
    fn meaning(&self, token: &Named<'_>, vector: &[f32], sibling: &Named<'_>) -> Option<f64> {
        if token.frame != sibling.frame {
            return None;
        }
        Some(self.scaled(cosine(vector, &self.vector(&sibling.words)?)))
    }

    /// A cosine in the measure of similarities.
    fn scaled(&self, cosine: f64) -> f64 {
        let Options { threshold, cosine: bar, .. } = self.options;
        let similarity = if cosine < bar {
            threshold * cosine / bar
        } else {
            threshold + (1.0 - threshold) * (cosine - bar) / (1.0 - bar)
        };
        similarity.clamp(0.0, NEAREST)
    }

    fn vector(&self, words: &str) -> Vector {
        if let Some(known) = self.cache.lock().get(words) {
            self.watch.cached();
            return known.clone();
        }
        // Without the lock: another thread may compute the same meanwhile, and gets the same.
        let began = Instant::now();
        let vector: Vector = self.encoder.encode(words).ok().map(Arc::from);
        let took = began.elapsed();
        let evicted = self.cache.lock().push(words.into(), vector.clone());
        if vector.is_some() {
            self.watch.computed(took, evicted.is_some_and(|(key, _)| *key != *words));
        } else {
            self.watch.failed();
        }
        vector
    }
}

impl SemanticMatcher for Embedding {
    fn nearest(&self, kind: NodeKind, token: &str, siblings: &[&str]) -> Option<Match> {
        let mut best = self.structural.nearest(kind, token, siblings)?;
        if best.similarity >= self.structural.threshold(kind) {
            return Some(best);
        }
        let Some(token) = named(kind, token) else { return Some(best) };
        let comparable: Vec<(usize, Named<'_>)> = siblings
            .iter()
            .take(SCANNED)
            .enumerate()
            .filter_map(|(index, sibling)| Some((index, named(kind, sibling)?)))
            .filter(|(_, sibling)| sibling.frame == token.frame)
            .take(self.options.siblings)
            .collect();
        // The token itself is read only where there is something to hold it against.
        if comparable.is_empty() {
            return Some(best);
        }
        let Some(vector) = self.vector(&token.words) else { return Some(best) };
        for (index, sibling) in comparable {
            if let Some(similarity) = self.meaning(&token, &vector, &sibling)
                && similarity > best.similarity
            {
                best = Match { index, similarity };
            }
        }
        Some(best)
    }

    fn threshold(&self, kind: NodeKind) -> f64 {
        self.structural.threshold(kind)
    }

    fn cheaper(&self) -> Option<&dyn SemanticMatcher> {
        Some(&self.structural)
    }
}

/// The cosine of the angle between two vectors of length 1.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}
