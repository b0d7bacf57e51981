//! `hanabi send`: a recording played into a running service.

mod post;
#[cfg(test)]
mod tests;
mod timeline;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use hanabi_ingest::{BATCH_BYTES, LineBlocks, Progress, open_lines};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::{cli::SendArgs, commands::failure::NotAccepted};

use post::Target;
use timeline::Timeline;

/// Lines that are due within this time go together: short enough that a reader of the console
/// sees no steps, long enough that a request's cost does not matter.
const TOGETHER: Duration = Duration::from_millis(100);

/// Plays the recording, and tells at the end how much of it was taken.
pub(crate) fn send(args: &SendArgs) -> Result<()> {
    let target = Target::new(&args.to, args.token.clone())?;
    let mut timeline = Timeline::new(args)?;
    let mut blocks = LineBlocks::new(open_lines(&args.file)?, BATCH_BYTES);
    let progress = progress_bar(blocks.progress());
    let mut sender = Sender::new(target, progress, blocks.progress().clone());
    let mut block = Vec::new();
    let reading = || format!("failed to read {}", args.file.display());
    while blocks.next_into(&mut block).with_context(reading)? {
        for line in block.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty())
        {
            let (due, text) = timeline.next(line);
            sender.push(due, &text)?;
        }
    }
    sender.flush()?;
    sender.finish()
}

/// Collects lines into requests and sends each when its last line is due.
struct Sender {
    target: Target,
    bar: ProgressBar,
    read: Progress,
    started: Instant,
    body: Vec<u8>,
    lines: u64,
    first_due: Duration,
    last_due: Duration,
    sent_lines: u64,
    sent_bytes: u64,
    accepted: u64,
    /// The service's reason for the first refused request.
    refusal: Option<String>,
}

impl Sender {
    fn new(target: Target, bar: ProgressBar, read: Progress) -> Self {
        Self {
            target,
            bar,
            read,
            started: Instant::now(),
            body: Vec::with_capacity(BATCH_BYTES),
            lines: 0,
            first_due: Duration::ZERO,
            last_due: Duration::ZERO,
            sent_lines: 0,
            sent_bytes: 0,
            accepted: 0,
            refusal: None,
        }
    }

    fn push(&mut self, due: Duration, line: &[u8]) -> Result<()> {
        let full = self.body.len() + line.len() + 1 > BATCH_BYTES;
        if full || due > self.first_due + TOGETHER {
            self.flush()?;
        }
        if self.lines == 0 {
            self.first_due = due;
        }
        self.last_due = due;
        self.body.extend_from_slice(line);
        self.body.push(b'\n');
        self.lines += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.lines == 0 {
            return Ok(());
        }
        let wait = self.last_due.saturating_sub(self.started.elapsed());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        let bar = &self.bar;
        let reply = self.target.post(&self.body, |news| say(bar, news))?;
        self.sent_lines += self.lines;
        self.sent_bytes += self.body.len() as u64;
        match reply {
            Ok(accepted) => self.accepted += accepted.unwrap_or(self.lines).min(self.lines),
            Err(refusal) => {
                self.refusal.get_or_insert(refusal);
            }
        }
        self.body.clear();
        self.lines = 0;
        self.bar.set_position(self.read.position());
        self.bar.set_message(format!("{} lines", self.sent_lines));
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.bar.finish_and_clear();
        eprintln!(
            "sent {} lines ({}) in {:.1} s to {}; {} accepted",
            self.sent_lines,
            HumanBytes(self.sent_bytes),
            self.started.elapsed().as_secs_f64(),
            self.target.url(),
            self.accepted,
        );
        let missing = self.sent_lines - self.accepted;
        if missing == 0 {
            return Ok(());
        }
        let reason = self.refusal.map_or_else(String::new, |refusal| format!(": {refusal}"));
        let lines = self.sent_lines;
        Err(NotAccepted(format!("{missing} of {lines} lines were not accepted{reason}")).into())
    }
}

/// A bar over the file's bytes, or a spinner where their number is unknown; nothing where
/// standard error is no terminal.
pub(crate) fn progress_bar(read: &Progress) -> ProgressBar {
    let (bar, template) = match read.total() {
        Some(total) => {
            (ProgressBar::new(total), "{elapsed_precise} {wide_bar} {percent:>3}% {msg}")
        }
        None => (ProgressBar::no_length(), "{elapsed_precise} {spinner} {msg}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Tells people something without breaking the bar.
fn say(bar: &ProgressBar, news: &str) {
    if bar.is_hidden() {
        eprintln!("{news}");
    } else {
        bar.println(news);
    }
}
