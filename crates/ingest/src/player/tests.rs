//! Times of a recording found, moved and stretched, and garbage left alone.

use proptest::prelude::*;

use super::*;

const T0: u64 = 1_795_337_732_237_776_419;
const NOW: u64 = 2_000_000_000_000_000_000;

fn line(time: u64) -> String {
    format!(
        "{{\"hostname\":\"vm\",\"output\":\"evt.time=\\\"x\\\" time\",\"output_fields\":\
         {{\"evt.num\":7,\"evt.time.iso8601\":{time},\"evt.type\":\"open\"}},\
         \"priority\":\"Debug\",\"time\":\"2026-11-22T08:55:32.237776419Z\"}}"
    )
}

fn play(player: &mut Player, line: &str) -> (u64, String) {
    let (offset, sent) = player.next(line.as_bytes());
    (offset.as_nanos() as u64, String::from_utf8(sent.into_owned()).unwrap())
}

#[test]
fn lines_are_left_alone_without_a_shift() {
    for speed in [Speed::Times(1.0), Speed::Times(20.0), Speed::Max] {
        let mut player = Player::new(speed, None);
        let text = line(T0);
        let (_, sent) = player.next(text.as_bytes());
        assert!(matches!(sent, Cow::Borrowed(bytes) if bytes == text.as_bytes()));
    }
}

#[test]
fn offsets_follow_the_recording() {
    let second = 1_000_000_000;
    for (speed, offsets) in [
        (Speed::Times(1.0), [0, second, second, 3 * second]),
        (Speed::Times(2.0), [0, second / 2, second / 2, 3 * second / 2]),
        (Speed::Times(0.5), [0, 2 * second, 2 * second, 6 * second]),
        (Speed::Max, [0, 0, 0, 0]),
        (Speed::Times(f64::NAN), [0, second, second, 3 * second]),
    ] {
        let mut player = Player::new(speed, None);
        for (gap, offset) in [0, second, second / 2, 3 * second].into_iter().zip(offsets) {
            assert_eq!(play(&mut player, &line(T0 + gap)).0, offset, "{speed:?}");
        }
    }
}

#[test]
fn a_shift_moves_every_time_and_nothing_else() {
    let mut player = Player::new(Speed::Times(1.0), Some(NOW));
    play(&mut player, &line(T0));
    let (_, sent) = play(&mut player, &line(T0 + 1_500));
    let expected = line(T0 + 1_500)
        .replace(&(T0 + 1_500).to_string(), &(NOW + 1_500).to_string())
        .replace("2026-11-22T08:55:32.237776419Z", "2033-05-18T03:33:20.000000000Z");
    assert_eq!(sent, expected);
}

#[test]
fn gaps_shrink_with_the_speed() {
    for (speed, gap) in [
        (Speed::Times(4.0), 250),
        (Speed::Times(0.5), 2_000),
        (Speed::Times(2.5), 400),
        (Speed::Max, 1_000),
    ] {
        let mut player = Player::new(speed, Some(NOW));
        play(&mut player, &line(T0));
        let (_, sent) = play(&mut player, &line(T0 + 1_000));
        assert!(sent.contains(&format!("iso8601\":{},", NOW + gap)), "{speed:?}: {sent}");
    }
}

#[test]
fn every_form_of_time_is_found_and_kept() {
    for (text, expected) in [
        (
            r#"{"output_fields":{"evt.time":"2026-11-22T08:55:32.237776419+0000"}}"#,
            r#"{"output_fields":{"evt.time":"2033-05-18T03:33:20.000000000+0000"}}"#,
        ),
        (
            r#"{"time" : "2026-11-22T08:55:32.237Z", "output_fields": {"evt.time" : 1795337732237000000}}"#,
            r#"{"time" : "2033-05-18T03:33:20.000Z", "output_fields": {"evt.time" : 2000000000000000000}}"#,
        ),
        (
            r#"{"output_fields":{"evt.time.iso8601":"1795337732237776419"}}"#,
            r#"{"output_fields":{"evt.time.iso8601":"2000000000000000000"}}"#,
        ),
        (r#"{"time":"2026-11-22T10:55:32+02:00"}"#, r#"{"time":"2033-05-18T05:33:20+02:00"}"#),
    ] {
        let mut player = Player::new(Speed::Times(1.0), Some(NOW));
        assert_eq!(play(&mut player, text).1, expected);
    }
}

#[test]
fn what_only_looks_like_a_time_is_left() {
    for text in [
        r#"{"output":"\"time\":\"2026-11-22T08:55:32Z\""}"#,
        r#"{"output":"time","x":{"time":"2026-11-22T08:55:32Z"}}"#,
        r#"{"a":["time","2026-11-22T08:55:32Z"]}"#,
        r#"{"output_fields":{"evt.time":"08:55:32.237776419"}}"#,
        r#"{"output_fields":{"evt.args":"{\"evt.time\":1795337732237776419}"}}"#,
        r#"{"evt.time":1795337732237776419}"#,
        r#"{"time":null,"output_fields":{"evt.time":1795337732237776419.5x}"#,
        "Thu Nov 22 08:55:32: Falco version 0.40.0",
        r#"{"time":"2026"#,
        "",
    ] {
        let mut player = Player::new(Speed::Times(1.0), Some(NOW));
        let (offset, sent) = play(&mut player, text);
        if !text.contains(".5x") {
            assert_eq!((offset, sent.as_str()), (0, text));
        }
    }
}

#[test]
fn a_line_without_time_goes_with_the_one_before() {
    let mut player = Player::new(Speed::Times(1.0), Some(NOW));
    assert_eq!(play(&mut player, "warming up").0, 0);
    play(&mut player, &line(T0));
    play(&mut player, &line(T0 + 7_000));
    assert_eq!(play(&mut player, "Falco has lost events"), (7_000, "Falco has lost events".into()));
}

proptest! {
    #[test]
    fn offsets_never_go_back_and_order_is_kept(
        gaps in prop::collection::vec(0_u64..10_000_000_000, 1..50),
        times in 0.1_f64..1_000.0,
    ) {
        let mut player = Player::new(Speed::Times(times), Some(NOW));
        let mut last = 0;
        let mut moved = Vec::new();
        for gap in &gaps {
            let (offset, sent) = play(&mut player, &line(T0 + gap));
            prop_assert!(offset >= last);
            last = offset;
            let digits = sent.split("iso8601\":").nth(1).unwrap().split(',').next().unwrap();
            moved.push(digits.parse::<u64>().unwrap());
        }
        prop_assert_eq!(moved[0], NOW);
        for (a, b) in gaps.iter().zip(&moved) {
            for (c, d) in gaps.iter().zip(&moved) {
                prop_assert!(a > c || b <= d);
            }
        }
    }

    #[test]
    fn garbage_never_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let line = [b"{\"output_fields\":{\"evt.time\":".to_vec(), line].concat();
        Player::new(Speed::Times(3.0), Some(NOW)).next(&line);
    }
}
