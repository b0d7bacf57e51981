//! The store against memory, restarts, limits.

use proptest::prelude::*;

use super::*;
use crate::{Answer, Engine, Memory, NAME, Options, QueryError, Series, Storage as _, is_stale};

fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied().chain([(NAME, name)]))
}

fn open(dir: &Path) -> SeriesStore {
    SeriesStore::open(dir, StoreOptions::default()).unwrap()
}

fn all(store: &SeriesStore, name: &str) -> Vec<Series> {
    let matcher = Matcher::Equal(NAME.to_owned(), name.to_owned());
    store.select(&[matcher], i64::MIN + 1, i64::MAX, usize::MAX).unwrap()
}

#[test]
fn what_was_committed_is_there_after_a_restart_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let up = labels("up", &[("job", "a")]);
    let append = |store: &SeriesStore, from: i64, to: i64| {
        for n in from..to {
            let sample = Sample { time: n * 15_000, value: n as f64 };
            assert_eq!(store.append(&[(up.clone(), sample)]).taken, 1);
        }
    };
    let store = open(dir.path());
    append(&store, 0, 200);
    store.commit().unwrap();
    append(&store, 200, 250);
    assert_eq!(all(&store, "up")[0].samples.len(), 250, "what no commit has is there, too");
    drop(store);
    let store = open(dir.path());
    let found = all(&store, "up");
    assert_eq!((found.len(), found[0].samples.len()), (1, 200), "as after a kill");
    append(&store, 200, 400);
    store.commit().unwrap();
    drop(store);
    let store = open(dir.path());
    let samples = &all(&store, "up")[0].samples;
    assert!(samples.iter().zip(0..400).all(|(s, n)| s.time == n * 15_000), "each once, in order");
    assert_eq!((samples.len(), store.series()), (400, 1));
    let late = Sample { time: 399 * 15_000, value: 0.0 };
    assert_eq!(store.append(&[(up.clone(), late)]).out_of_order, 1);
}

#[test]
fn a_series_that_a_scrape_does_not_have_ends_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (a, b) = (labels("up", &[("n", "a")]), labels("up", &[("n", "b")]));
    store.append_scrape(1_000, &[(a.clone(), 1.0), (b.clone(), 1.0)]);
    store.append_scrape(2_000, &[(a.clone(), 1.0)]);
    store.append_scrape(3_000, &[(a, 1.0)]);
    let found = all(&store, "up");
    let ended = found.iter().find(|series| series.labels == b).unwrap();
    assert_eq!(ended.samples.len(), 2, "told once");
    assert!(is_stale(ended.samples[1].value) && ended.samples[1].time == 2_000);
    let engine = Engine::new(&store, Options::default(), &|| None);
    let Answer::Vector(there) = engine.instant("up", 2_500).unwrap() else { panic!() };
    assert_eq!(there.len(), 1);
}

#[test]
fn old_samples_go_and_so_do_the_oldest_of_too_many() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { retention: 3_600_000, ..StoreOptions::default() };
    let store = SeriesStore::open(dir.path(), options).unwrap();
    let up = labels("up", &[]);
    for n in 0..1_000 {
        store.append(&[(up.clone(), Sample { time: n * 15_000, value: (n * n % 7) as f64 })]);
    }
    store.commit().unwrap();
    assert!(store.retain(i64::MAX).unwrap() >= 5);
    let first = all(&store, "up")[0].samples[0].time;
    assert!((999 - 240 - 120..=999 - 240).contains(&(first / 15_000)), "{first}");
    drop(store);
    let options = StoreOptions { max_bytes: 200, ..StoreOptions::default() };
    let store = SeriesStore::open(dir.path(), options).unwrap();
    store.retain(i64::MAX).unwrap();
    assert!(all(&store, "up")[0].samples[0].time > first);
}

#[test]
fn a_sample_of_the_future_makes_nothing_old() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let up = labels("up", &[]);
    let at = |time| (up.clone(), Sample { time, value: 1.0 });
    store.insert([at(1_000), at(1_000 + 100 * 86_400_000)]).unwrap();
    assert_eq!(store.retain(2_000).unwrap(), 0);
    assert_eq!(all(&store, "up")[0].samples.len(), 2);
}

#[test]
fn what_is_inserted_is_older_newer_between_and_there_already() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let up = labels("up", &[]);
    let at = |time: i64, value: f64| (up.clone(), Sample { time, value });
    let appended: Vec<_> = (1_000..1_300).map(|n| at(n * 10, n as f64)).collect();
    store.append(&appended[..250]);
    store.commit().unwrap();
    store.append(&appended[250..]);
    // In the order of nothing, each of the past twice, of the present one that is there.
    let past: Vec<_> = (0..1_000).rev().map(|n| at(n * 7, 0.5)).collect();
    let again = past.iter().cloned().map(|(labels, s)| (labels, Sample { value: 9.0, ..s }));
    let between = [at(12_005, -1.0), at(12_010, -2.0), at(12_995, -3.0), at(20_000, -4.0)];
    let new = [(labels("other", &[]), Sample { time: 5, value: stale() })];
    let taken = store.insert(past.clone().into_iter().chain(again).chain(between).chain(new));
    // 12 010 is there, as is 10 000 and what follows every 70 from there, up to 13 000 and 6 993.
    let taken = taken.unwrap();
    assert_eq!((taken.taken, taken.known, taken.out_of_order), (1_000 + 3 + 1, 1_000 + 1, 0));
    let check = |store: &SeriesStore| {
        let samples = &all(store, "up")[0].samples;
        assert_eq!(samples.len(), 1_000 + 300 + 3);
        assert!(samples.windows(2).all(|pair| pair[0].time < pair[1].time));
        let value = |time: i64| samples.iter().find(|s| s.time == time).unwrap().value;
        let found = [7, 6_993, 10_000, 12_005, 12_010, 12_995, 12_990, 20_000].map(value);
        assert_eq!(found, [0.5, 0.5, 1_000.0, -1.0, 1_201.0, -3.0, 1_299.0, -4.0]);
        assert!(is_stale(all(store, "other")[0].samples[0].value));
        let some = store.select(&[Matcher::Equal(NAME.into(), "up".into())], 7, 20, 9).unwrap();
        assert_eq!(some[0].samples.iter().map(|s| s.time).collect::<Vec<_>>(), [7, 14]);
    };
    check(&store);
    assert_eq!(store.append(&[at(20_000, -4.0), at(19_999, 1.0)]).known, 1);
    assert_eq!(store.append(&[at(20_001, 0.0)]).taken, 1);
    drop(store);
    let store = open(dir.path());
    check(&store);
    assert_eq!(store.insert(past).unwrap().known, 1_000);
    check(&store);
}

#[test]
fn imports_older_than_the_retention_stay_until_it_is_cleaned() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { max_series: 2, ..StoreOptions::default() };
    let store = SeriesStore::open(dir.path(), options).unwrap();
    let day = 86_400_000;
    let at = |name: &str, time| (labels(name, &[]), Sample { time, value: 1.0 });
    store.append(&[at("up", 100 * day)]);
    let taken = store.insert([at("old", day), at("up", day), at("third", day), at("third", 2)]);
    assert_eq!(taken.unwrap(), Appended { taken: 2, too_many_series: 2, ..Appended::default() });
    assert_eq!((all(&store, "old").len(), all(&store, "up")[0].samples.len()), (1, 2));
    store.retain(i64::MAX).unwrap();
    assert_eq!((all(&store, "old").len(), all(&store, "up")[0].samples.len()), (0, 1));
}

#[test]
fn series_that_are_over_make_room_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { retention: 1_000, max_series: 2, ..StoreOptions::default() };
    let store = SeriesStore::open(dir.path(), options).unwrap();
    let append =
        |name: &str, time: i64| store.append(&[(labels(name, &[]), Sample { time, value: 1.0 })]);
    append("a", 1);
    append("b", 1);
    append("b", 5_000);
    assert_eq!(append("c", 5_000).too_many_series, 1);
    store.commit().unwrap();
    store.retain(i64::MAX).unwrap();
    assert_eq!((store.series(), all(&store, "a").len()), (1, 0));
    assert_eq!(append("c", 5_001).taken, 1);
    store.commit().unwrap();
    drop(store);
    let store = SeriesStore::open(dir.path(), options).unwrap();
    let count = |name| all(&store, name).iter().map(|s| s.samples.len()).sum::<usize>();
    let found = ["a", "b", "c"].map(count);
    assert_eq!(found, [0, 2, 1]);
}

#[test]
fn series_are_bounded_and_found_by_their_labels() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { max_series: 20, ..StoreOptions::default() };
    let store = SeriesStore::open(dir.path(), options).unwrap();
    for n in 0..30 {
        let labels =
            labels("m", &[("n", &n.to_string()), ("odd", if n % 2 == 1 { "y" } else { "" })]);
        let appended = store.append(&[(labels, Sample { time: 1, value: 0.0 })]);
        assert_eq!(appended.too_many_series, u64::from(n >= 20));
    }
    let equal = |name: &str, value: &str| Matcher::Equal(name.into(), value.into());
    assert_eq!(store.labels(&[equal("odd", "y")]).len(), 10);
    assert_eq!(store.labels(&[equal("odd", ""), equal(NAME, "m")]).len(), 10);
    assert_eq!(store.labels(&[equal("odd", "y"), equal("n", "3")]).len(), 1);
    assert_eq!(store.labels(&[equal("odd", "y"), equal("n", "4")]).len(), 0);
}

#[test]
fn series_are_found_by_when_they_have_samples() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let up = labels("up", &[]);
    for time in 1..=300 {
        store.append(&[(up.clone(), Sample { time: time * 10, value: 1.0 })]);
    }
    store.commit().unwrap();
    store.append(&[(up.clone(), Sample { time: 9_000, value: 1.0 })]);
    for (from, to, there) in [
        (i64::MIN, i64::MAX, true),
        (i64::MIN, 9, false),
        (i64::MIN, 10, true),
        (15, 19, false),
        (15, 20, true),
        (2_999, 3_000, true),
        (3_001, 8_999, false),
        (9_000, 9_000, true),
        (9_001, i64::MAX, false),
        (20, 10, false),
    ] {
        let found = store.labels_between(&[], (from, to)).unwrap();
        assert_eq!(found.len(), usize::from(there), "{from} to {to}");
    }
}

#[test]
fn no_more_is_loaded_than_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let up = labels("up", &[]);
    for time in 1..=300 {
        store.append(&[(up.clone(), Sample { time, value: 1.0 })]);
    }
    store.commit().unwrap();
    let matcher = [Matcher::Equal(NAME.to_owned(), "up".to_owned())];
    assert_eq!(store.select(&matcher, 0, 400, 300).unwrap()[0].samples.len(), 300);
    let refused = store.select(&matcher, 0, 400, 299).unwrap_err();
    assert!(refused.to_string().contains("too many samples"), "{refused}");
    assert!(refused.is_too_many_samples() && !QueryError::Timeout.is_too_many_samples());
}

#[test]
fn a_later_version_and_a_second_process_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let second = SeriesStore::open(dir.path(), StoreOptions::default()).err().unwrap();
    assert!(second.to_string().contains("series.redb is held by another process"), "{second}");
    let transaction = store.database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("version", 9).unwrap();
    transaction.commit().unwrap();
    drop(store);
    let later = SeriesStore::open(dir.path(), StoreOptions::default()).err().unwrap();
    assert!(later.to_string().contains("is of version 9"), "{later}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_batches_holds_the_first_of_each_time(
        batches in proptest::collection::vec(
            (proptest::collection::vec((0usize..3, 0i64..2_000, any::<i16>()), 1..400), 0u8..6),
            1..16,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path());
        let mut expected = std::collections::BTreeMap::new();
        for (batch, then) in batches {
            let batch: Vec<(Labels, Sample)> = batch
                .into_iter()
                .map(|(which, time, value)| {
                    let labels = labels("m", &[("n", ["a", "b", "c"][which])]);
                    // Tenths do not pack well, so that there are several rows.
                    (labels, Sample { time, value: f64::from(value) / 10.0 })
                })
                .collect();
            if then == 0 {
                // What is appended and not later is not taken.
                for (labels, sample) in batch {
                    if store.append(&[(labels.clone(), sample)]).taken == 1 {
                        expected.insert((labels, sample.time), sample.value);
                    }
                }
                continue;
            }
            let before = expected.len() as u64;
            for (labels, sample) in &batch {
                expected.entry((labels.clone(), sample.time)).or_insert(sample.value);
            }
            let taken = store.insert(batch).unwrap().taken;
            prop_assert_eq!(taken, expected.len() as u64 - before);
            if then == 1 {
                drop(store);
                store = open(dir.path());
            }
        }
        let mut found = std::collections::BTreeMap::new();
        let none = |error: SeriesError| error;
        store.each(&[], (i64::MIN + 1, i64::MAX), |series| {
            for pair in series.samples.windows(2) {
                assert!(pair[0].time < pair[1].time);
            }
            for sample in series.samples {
                found.insert((series.labels.clone(), sample.time), sample.value);
            }
            Ok(())
        }).map_err(none).unwrap();
        prop_assert_eq!(found, expected);
        drop(store);
        let path = database_path(dir.path());
        let report = check(&mut Database::create(&path).unwrap(), &path).unwrap();
        prop_assert_eq!(report.problems, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_store_holds_what_memory_holds(
        steps in proptest::collection::vec((0usize..4, 1i64..40_000, any::<i32>(), 0u8..20), 1..400)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, mut memory) = (open(dir.path()), Memory::default());
        let mut time = 0;
        for (which, step, value, then) in steps {
            time += step;
            let labels = labels("m", &[("n", ["a", "b", "c", "d"][which])]);
            let sample = Sample { time, value: f64::from(value) };
            memory.add(&labels, sample);
            store.append(&[(labels, sample)]);
            match then {
                0 => store.commit().unwrap(),
                1 => {
                    store.commit().unwrap();
                    drop(store);
                    store = open(dir.path());
                }
                _ => {}
            }
        }
        let matcher = [Matcher::Equal(NAME.into(), "m".into())];
        for (from, to) in [(i64::MIN + 1, i64::MAX), (time / 3, time / 2), (time, time)] {
            let mut found = store.select(&matcher, from, to, usize::MAX).unwrap();
            found.sort_by(|a, b| a.labels.cmp(&b.labels));
            prop_assert_eq!(found, memory.select(&matcher, from, to, usize::MAX).unwrap());
        }
    }
}
