//! What is accepted, by whom, and what it costs.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hanabi_detect::matcher::{SemanticMatcher as _, Structural};
use hanabi_embedding::{Embedding, Options, Unwatched, Watch};
use hanabi_profile::NodeKind;

use crate::kit::Model;

/// So low that two names of the tiny model, whose weights are random, can be near.
const OPTIONS: Options =
    Options { threshold: 0.8, cosine: 0.2, siblings: 4, cached: NonZeroUsize::new(50).unwrap() };

#[derive(Default)]
struct Counts {
    cached: AtomicUsize,
    computed: AtomicUsize,
    evicted: AtomicUsize,
    failed: AtomicUsize,
}

struct Counting(Arc<Counts>);

impl Watch for Counting {
    fn cached(&self) {
        self.0.cached.fetch_add(1, Ordering::Relaxed);
    }

    fn computed(&self, _took: Duration, evicted: bool) {
        self.0.computed.fetch_add(1, Ordering::Relaxed);
        self.0.evicted.fetch_add(usize::from(evicted), Ordering::Relaxed);
    }

    fn failed(&self) {
        self.0.failed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counts {
    fn read(&self) -> (usize, usize) {
        assert_eq!(self.failed.load(Ordering::Relaxed), 0);
        (self.computed.load(Ordering::Relaxed), self.cached.load(Ordering::Relaxed))
    }
}

fn counted(options: Options) -> (Embedding, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let watch = Box::new(Counting(Arc::clone(&counts)));
    (Embedding::load(Model::tiny().write().path(), options, watch).unwrap(), counts)
}

#[test]
fn meaning_finds_what_structure_does_not() {
    let (matcher, _) = counted(OPTIONS);
    let near = |token, sibling| matcher.nearest(NodeKind::File, token, &[sibling]).unwrap();
    let structure = Structural::default().nearest(NodeKind::File, "backup.csv", &["archive.csv"]);
    let meaning = near("backup.csv", "archive.csv");
    assert!(meaning.similarity > structure.unwrap().similarity, "{meaning:?}");
    assert_eq!(meaning, near("archive.csv", "backup.csv"), "it is symmetric");
    assert!((near("backup.csv", "backup.csv").similarity - 1.0).abs() < f64::EPSILON);
    // One set of words, but not one token.
    assert!((near("BACKUP.csv", "backup.csv").similarity - 0.99).abs() < 1e-3);
}

#[test]
fn the_bar_is_worth_the_threshold() {
    let cosine = |bar: f64, threshold: f64| {
        let options = Options { threshold, cosine: bar, ..OPTIONS };
        let (matcher, _) = counted(options);
        let found = matcher.nearest(NodeKind::File, "backup.csv", &["archive.csv"]).unwrap();
        (found.similarity, matcher.threshold(NodeKind::File))
    };
    // With a bar equal to the threshold the similarity is the cosine itself.
    let (same, _) = cosine(0.8, 0.8);
    assert!(same > 0.3 && same < 0.98, "{same}");
    let (at_bar, threshold) = cosine(same, 0.8);
    assert!((at_bar - threshold).abs() < 1e-9, "{at_bar}");
    assert!(cosine(same + 0.01, 0.8).0 < threshold && cosine(same - 0.01, 0.8).0 > threshold);
    assert!(cosine(same, 1.0).0 < 1.0, "a threshold of 1 is for the very same");
}

#[test]
fn the_model_is_asked_only_where_words_decide() {
    let (matcher, counts) = counted(OPTIONS);
    for (kind, token, siblings) in [
        (NodeKind::Port, "8080", &["80"][..]),
        (NodeKind::Peer, "10.0.0.1", &["172.18.0.2"]),
        (NodeKind::Direction, "in", &["out"]),
        (NodeKind::Directory, "orders", &["invoices"]),
        (NodeKind::File, "orders.php", &["invoices.php"]),
        (NodeKind::File, "orders.csv", &["invoices.json"]),
        (NodeKind::Argument, "/a/orders.csv", &["/b/invoices.csv"]),
        // Structure decides.
        (NodeKind::File, "orders<num>.csv", &["orders<num>.csv"]),
        (NodeKind::File, "orders.csv", &["order.csv"]),
        (NodeKind::File, "orders.csv", &[]),
    ] {
        let structural = Structural { threshold: OPTIONS.threshold };
        let expected = structural.nearest(kind, token, siblings);
        assert_eq!(matcher.nearest(kind, token, siblings), expected, "{token}");
        let (ours, theirs) = (matcher.threshold(kind), structural.threshold(kind));
        assert!((ours - theirs).abs() < f64::EPSILON);
    }
    assert_eq!(counts.read(), (0, 0));
    matcher.nearest(NodeKind::Argument, "/a/orders.csv", &["/a/invoices.csv"]);
    assert_eq!(counts.read(), (2, 0));
}

#[test]
fn work_is_bounded_and_done_once() {
    let (matcher, counts) = counted(OPTIONS);
    let siblings = ["archive.csv", "dog.csv", "x.php", "cat.csv", "daily.csv", "invoices.csv"];
    matcher.nearest(NodeKind::File, "orders.csv", &siblings);
    assert_eq!(counts.read(), (5, 0), "the token, and four siblings that can be compared");
    matcher.nearest(NodeKind::File, "orders.csv", &siblings);
    assert_eq!(counts.read(), (5, 5));
    matcher.nearest(NodeKind::File, "backup.csv", &siblings);
    assert_eq!(counts.read(), (6, 9));
}

#[test]
fn programs_are_explained_and_never_accepted() {
    let (matcher, _) = counted(Options { cosine: 0.01, ..OPTIONS });
    for kind in [NodeKind::Program, NodeKind::Parent] {
        let found = matcher.nearest(kind, "cat", &["dog", "catalog"]).unwrap();
        assert!(found.similarity < 1.0, "{found:?}");
    }
}

#[test]
fn the_cache_is_bounded() {
    let (matcher, counts) = counted(OPTIONS);
    let letter = |i: usize| char::from(b'a' + (i % 26) as u8);
    let name = |i: usize| {
        let stem: String = [i, i / 26, i / 676].into_iter().map(letter).collect();
        format!("{stem}.csv")
    };
    let asked = OPTIONS.cached.get() + 100;
    for i in 0..asked {
        matcher.nearest(NodeKind::File, &name(i), &["orders.csv"]);
    }
    let evicted = counts.evicted.load(Ordering::Relaxed);
    assert!((100..=101).contains(&evicted), "{evicted}");
    let (computed, _) = counts.read();
    matcher.nearest(NodeKind::File, &name(asked - 1), &["orders.csv"]);
    assert_eq!(counts.read().0, computed, "the newest is still there");
}

#[test]
fn it_can_be_shared_and_boxed() {
    let directory = Model::tiny().write();
    let matcher = Embedding::load(directory.path(), OPTIONS, Box::new(Unwatched)).unwrap();
    let boxed: Box<dyn hanabi_detect::matcher::SemanticMatcher> = Box::new(matcher);
    assert!(boxed.nearest(NodeKind::File, "a.csv", &["b.csv"]).is_some());
}
