//! The matcher that the configuration names.

use hanabi_detect::matcher::{Exact, SemanticMatcher, Structural};
use hanabi_telemetry::Metrics;

use crate::config::{Detect, MatcherKind};

/// The matcher, ready to be asked. `embedding` reads its model here, which takes a second; the
/// error names the file at fault and the hint what to do.
pub(crate) fn matcher(
    detect: &Detect,
    metrics: &Metrics,
) -> anyhow::Result<Box<dyn SemanticMatcher>> {
    Ok(match detect.matcher {
        MatcherKind::Structural => Box::new(Structural { threshold: detect.threshold }),
        MatcherKind::Exact => Box::new(Exact),
        MatcherKind::Embedding => embedding(detect, metrics)?,
    })
}

#[cfg(not(feature = "embedding"))]
fn embedding(_: &Detect, _: &Metrics) -> anyhow::Result<Box<dyn SemanticMatcher>> {
    // Validation refuses it with the remedy; this is for whoever comes another way.
    anyhow::bail!("the matcher `embedding` is not in this build of hanabi")
}

#[cfg(feature = "embedding")]
fn embedding(detect: &Detect, metrics: &Metrics) -> anyhow::Result<Box<dyn SemanticMatcher>> {
    use hanabi_embedding::{CACHED, Embedding, Options};

    use crate::commands::failure::Hint as _;

    let options = Options {
        threshold: detect.threshold,
        cosine: detect.embedding_threshold,
        siblings: detect.embedding_siblings as usize,
        cached: CACHED,
    };
    let watch = Box::new(watch::Meter::new(metrics.clone()));
    match Embedding::load(&detect.embedding_dir, options, watch) {
        Ok(matcher) => Ok(Box::new(matcher)),
        Err(error) => {
            let remedy = error.remedy();
            Err(error).hint(remedy)
        }
    }
}

#[cfg(feature = "embedding")]
mod watch {
    //! What the matcher `embedding` did, as metrics; what was slow is logged, too.

    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    use hanabi_embedding::Watch;
    use hanabi_telemetry::Metrics;

    /// Ten times what a model of 6 layers takes for a long name.
    const SLOW: Duration = Duration::from_millis(100);
    /// A model that is too large is slow for every name; one line for so many tells it.
    const SLOW_LOGGED: u64 = 1000;

    pub(super) struct Meter {
        metrics: Metrics,
        slow: AtomicU64,
    }

    impl Meter {
        pub(super) fn new(metrics: Metrics) -> Self {
            Self { metrics, slow: AtomicU64::new(0) }
        }
    }

    impl Watch for Meter {
        fn cached(&self) {
            self.metrics.embedding_cached.increment();
        }

        fn computed(&self, took: Duration, evicted: bool) {
            self.metrics.embedding_duration.observe(took);
            self.metrics.embedding_evicted.add(u64::from(evicted));
            if took > SLOW {
                let before = self.slow.fetch_add(1, Ordering::Relaxed);
                if before.is_multiple_of(SLOW_LOGGED) {
                    let milliseconds = took.as_millis();
                    tracing::warn!(milliseconds, slow = before + 1, "the model is slow");
                }
            }
        }

        fn failed(&self) {
            self.metrics.embedding_failed.increment();
        }
    }
}

#[cfg(all(test, feature = "embedding"))]
mod tests {
    use hanabi_telemetry::Metrics;

    use crate::config::{Config, Overrides};

    #[test]
    fn a_model_that_cannot_be_loaded_is_named_with_what_to_do() {
        let set = |key: &str, value: &str| (key.to_owned(), value.to_owned(), "--set");
        let values =
            vec![set("detect.matcher", "embedding"), set("detect.embedding_dir", "/nowhere/model")];
        let config = Config::load(&Overrides { file: None, values }, []).unwrap();
        let Err(error) = super::matcher(config.detect(), &Metrics::new()) else {
            panic!("there is a model in /nowhere");
        };
        let expected = "failed to load the model: /nowhere/model/config.json does not exist";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.chain().count(), 1, "a hint that repeats nothing: {error:?}");
    }
}
