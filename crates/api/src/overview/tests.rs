//! Counts by window, with event time as the only clock.

use super::*;

fn add(stats: &mut OverviewStats, second: u64, rule: &str, container: &str, n: u64) {
    stats.add(second, Category::File, Priority::Notice, rule, container, n);
}

#[test]
fn windows_hold_their_own_seconds_only() {
    let mut stats = OverviewStats::default();
    let end = 1_763_800_009;
    for (back, n) in [(0, 1), (200, 10), (800, 100), (3_000, 1_000), (80_000, 10_000)] {
        add(&mut stats, end - back, "rule", "web", n);
    }
    add(&mut stats, end - 90_000, "rule", "web", 100_000);
    for (window, events, points) in [
        (Window::FiveMinutes, 11, 30),
        (Window::FifteenMinutes, 111, 90),
        (Window::Hour, 1_111, 60),
        (Window::Day, 11_111, 96),
    ] {
        let got = stats.window(window);
        assert_eq!(got.events, events, "{window:?}");
        assert_eq!(got.series.iter().map(|p| p.events).sum::<u64>(), events, "{window:?}");
        assert!((points..=points + 1).contains(&got.series.len()), "{window:?}");
        assert_eq!(got.top_rules, [NameCount { name: "rule".into(), events }], "{window:?}");
        assert_eq!(got.by_category, BTreeMap::from([(Category::File, events)]));
    }
    assert_eq!(stats.late(), 100_000);
}

#[test]
fn nothing_yet_is_an_empty_window() {
    let got = OverviewStats::default().window(Window::Hour);
    assert_eq!((got.events, got.start, got.end, got.series.len()), (0, 0, 0, 0));
}

#[test]
fn a_jump_forward_clears_what_is_left_behind() {
    let mut stats = OverviewStats::default();
    add(&mut stats, 1_000_000, "a", "x", 5);
    add(&mut stats, 1_000_000 + 10 * 86_400, "b", "y", 7);
    let day = stats.window(Window::Day);
    assert_eq!(day.events, 7);
    assert_eq!(day.top_containers, [NameCount { name: "y".into(), events: 7 }]);
    stats.advance(1_000_000 + 20 * 86_400);
    assert_eq!(stats.window(Window::Day).events, 0);
}

#[test]
fn rates_are_over_the_time_that_has_events() {
    let mut stats = OverviewStats::default();
    for second in 0..60 {
        add(&mut stats, 1_000_000 + second, "a", "x", 10);
    }
    let got = stats.window(Window::Hour);
    assert_eq!(got.covered_seconds, 60);
    assert!((got.events_per_second - 10.0).abs() < 1e-9);
}

#[test]
fn names_are_bounded_and_come_back() {
    let mut stats = OverviewStats::default();
    for i in 0..OVERVIEW_NAMES_MAX as u64 + 50 {
        add(&mut stats, 1_000_000, "r", &format!("c{i:04}"), 1 + i % 3);
    }
    let top = stats.window(Window::Day).top_containers;
    assert_eq!(top.len(), OVERVIEW_TOP + 1);
    assert_eq!(top.last().unwrap().name, OTHER);
    assert_eq!(top.iter().map(|c| c.events).sum::<u64>(), stats.window(Window::Day).events);

    // Two days later the old names have no counts left, and new ones get their places.
    add(&mut stats, 1_000_000 + 2 * 86_400, "r", "fresh", 9);
    let top = stats.window(Window::Day).top_containers;
    assert_eq!(top, [NameCount { name: "fresh".into(), events: 9 }]);
}
