//! When each line is sent, and with what times in it.

use std::{
    borrow::Cow,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use hanabi_ingest::{
    BATCH_BYTES, LineBlocks, open_lines,
    player::{self, Player},
};

use crate::{
    cli::{SendArgs, Shift, Speed},
    commands::failure::Hint as _,
};

/// The rhythm of a recording as it is played.
pub(super) struct Timeline {
    player: Player,
    /// Where times move, but gaps stay: writes the times that `player` leaves alone.
    mover: Option<Player>,
}

impl Timeline {
    /// The timeline that the flags ask for; `--shift end` reads the recording once beforehand.
    pub(super) fn new(args: &SendArgs) -> Result<Self> {
        let speed = match args.speed {
            Speed::Times(times) => player::Speed::Times(times),
            Speed::Max => player::Speed::Max,
        };
        let (shift, mover) = match args.shift {
            None => (None, None),
            Some(Shift::Now) => (Some(now()), None),
            Some(Shift::End) => {
                let length = length(&args.file)?;
                (
                    None,
                    Some(Player::new(player::Speed::Max, Some(start(now(), length, args.speed)))),
                )
            }
        };
        Ok(Self { player: Player::new(speed, shift), mover })
    }

    /// When a line is due after the first one, and what to send.
    pub(super) fn next<'a>(&mut self, line: &'a [u8]) -> (Duration, Cow<'a, [u8]>) {
        let (due, text) = self.player.next(line);
        match &mut self.mover {
            Some(mover) => (due, mover.next(line).1),
            None => (due, text),
        }
    }
}

/// When the first event must happen for the last one to happen as it is sent.
fn start(now: u64, length: Duration, speed: Speed) -> u64 {
    let played = match speed {
        Speed::Times(times) => length.div_f64(times),
        Speed::Max => Duration::ZERO,
    };
    now.saturating_add(nanos(played)).saturating_sub(nanos(length))
}

/// The time from a recording's first event to its last.
fn length(file: &Path) -> Result<Duration> {
    if file == Path::new("-") {
        return Err(anyhow::anyhow!("the end of standard input is not known beforehand"))
            .hint("play a file, or use `--shift now`");
    }
    let mut player = Player::new(player::Speed::Times(1.0), None);
    let mut length = Duration::ZERO;
    for block in LineBlocks::new(open_lines(file)?, BATCH_BYTES) {
        let block = block.with_context(|| format!("failed to read {}", file.display()))?;
        for line in block.split(|byte| *byte == b'\n') {
            length = length.max(player.next(line).0);
        }
    }
    Ok(length)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::start;
    use crate::cli::Speed;

    #[test]
    fn the_last_event_happens_as_it_is_sent() {
        let length = Duration::from_secs(100);
        let second = 1_000_000_000;
        assert_eq!(start(1000 * second, length, Speed::Max), 900 * second);
        assert_eq!(start(1000 * second, length, Speed::Times(1.0)), 1000 * second);
        assert_eq!(start(1000 * second, length, Speed::Times(20.0)), 905 * second);
    }
}
