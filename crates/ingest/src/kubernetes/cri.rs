//! The log format of the Container Runtime Interface: `TIME STREAM TAG TEXT`, one entry a line,
//! `stdout` or `stderr`, and `F` for the last part of a line or `P` for one before it
//! (<https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>).

use crate::MAX_LINE_BYTES;

/// Makes lines of entries. What is between the parts of a line is kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// The parts so far of a line of standard output.
    partial: Vec<u8>,
    /// Entries of it, in bytes of the log, since the last line was whole.
    pending: u64,
    /// The rest of the present line was given up.
    skipping: bool,
    /// Lines that were too long, and handed out cut off.
    pub(super) too_long: u64,
    /// Entries that are none: handed out as they are, for the decoder to reject.
    pub(super) unparsed: u64,
}

/// An entry taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    is_output: bool,
    is_part: bool,
    text: &'a [u8],
}

impl Joiner {
    /// The lines that whole entries make, each ending in `\n`.
    pub(super) fn join(&mut self, entries: &[u8]) -> Vec<u8> {
        let mut lines = Vec::with_capacity(entries.len());
        for raw in entries.split_inclusive(|byte| *byte == b'\n') {
            let entry = raw.strip_suffix(b"\n").unwrap_or(raw);
            match parse(entry) {
                // Falco's own messages; they may come between the parts of a line.
                Some(Entry { is_output: false, .. }) => {
                    self.pending += if self.is_within_line() { raw.len() as u64 } else { 0 };
                }
                Some(Entry { is_part, text, .. }) => {
                    self.pending += raw.len() as u64;
                    self.add(text);
                    if !is_part {
                        self.end(&mut lines);
                    }
                }
                None if entry.is_empty() => {}
                None => {
                    self.unparsed += 1;
                    lines.extend_from_slice(entry);
                    lines.push(b'\n');
                }
            }
        }
        lines
    }

    /// Bytes of entries at the end of what was given that are not a line yet.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// What there is of a line whose end will not come.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let mut lines = Vec::new();
        if self.is_within_line() {
            self.end(&mut lines);
        }
        (!lines.is_empty()).then_some(lines)
    }

    fn is_within_line(&self) -> bool {
        self.pending > 0
    }

    fn add(&mut self, text: &[u8]) {
        if self.skipping {
            return;
        }
        self.partial.extend_from_slice(text);
        if self.partial.len() > MAX_LINE_BYTES {
            self.partial.truncate(MAX_LINE_BYTES);
            self.skipping = true;
            self.too_long += 1;
        }
    }

    fn end(&mut self, lines: &mut Vec<u8>) {
        lines.append(&mut self.partial);
        lines.push(b'\n');
        self.pending = 0;
        self.skipping = false;
    }
}

/// `None` for what is no entry.
fn parse(entry: &[u8]) -> Option<Entry<'_>> {
    let mut parts = entry.splitn(4, |byte| *byte == b' ');
    let (time, stream, tags) = (parts.next()?, parts.next()?, parts.next()?);
    let is_time = time.get(4) == Some(&b'-') && time.get(10) == Some(&b'T');
    let is_output = match stream {
        b"stdout" => true,
        b"stderr" => false,
        _ => return None,
    };
    // Tags are separated by colons, and the first says whether the line goes on.
    let is_part = match tags.split(|byte| *byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    // An empty line may come without the space before its text.
    is_time.then(|| Entry { is_output, is_part, text: parts.next().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIME: &str = "2026-11-22T08:55:32.237776419Z";

    fn join(joiner: &mut Joiner, entries: &[&str]) -> String {
        let text: String = entries.iter().map(|e| e.replace('@', TIME) + "\n").collect();
        String::from_utf8(joiner.join(text.as_bytes())).unwrap()
    }

    #[test]
    fn entries_become_lines() {
        let mut joiner = Joiner::default();
        let lines = join(
            &mut joiner,
            &[
                "@ stdout F {\"a\":1}",
                "@ stderr F a message",
                "@ stdout P {\"b\":",
                "@ stderr P between",
                "@ stdout F:x 2}",
                "@ stdout F ",
                "@ stdout F",
            ],
        );
        assert_eq!(lines, "{\"a\":1}\n{\"b\":2}\n\n\n");
        assert_eq!((joiner.pending(), joiner.unparsed), (0, 0));
    }

    #[test]
    fn what_is_no_entry_is_handed_out_as_it_is() {
        let mut joiner = Joiner::default();
        let odd = ["{\"time\":1}", "@ stdin F x", "@ stdout X x", "yesterday stdout F x"];
        let lines = join(&mut joiner, &odd);
        assert_eq!(lines, odd.map(|line| line.replace('@', TIME) + "\n").concat());
        assert_eq!(joiner.unparsed, 4);
    }

    #[test]
    fn parts_that_wait_are_counted_in_bytes_of_the_log() {
        let mut joiner = Joiner::default();
        assert_eq!(join(&mut joiner, &["@ stdout F a", "@ stdout P b", "@ stderr F c"]), "a\n");
        assert_eq!(joiner.pending(), 2 * (TIME.len() as u64 + 12));
        assert_eq!(joiner.finish().unwrap(), b"b\n");
        assert_eq!(joiner.finish(), None);
    }

    #[test]
    fn a_line_without_end_is_cut_off() {
        let mut joiner = Joiner::default();
        let part = format!("@ stdout P {}", "x".repeat(1 << 20));
        assert_eq!(join(&mut joiner, &[&part, &part, &part]), "");
        let line = join(&mut joiner, &["@ stdout F x", "@ stdout F y"]);
        assert_eq!(line.len(), MAX_LINE_BYTES + 1 + 2);
        assert_eq!(joiner.too_long, 1);
    }

    proptest! {
        /// Wherever a runtime cuts a line, and wherever the log is cut into batches, the lines are
        /// the same, and reading again from what is pending gives the rest.
        #[test]
        fn lines_survive_every_cut(
            lines in prop::collection::vec(("[a-z]{0,40}", 1_usize..10), 0..12), at in 0_usize..40,
        ) {
            let mut entries: Vec<String> = Vec::new();
            for (line, size) in &lines {
                let parts: Vec<&[u8]> = line.as_bytes().chunks(*size).collect();
                let last = parts.len().saturating_sub(1);
                for (number, part) in parts.iter().enumerate() {
                    let tag = if number == last { 'F' } else { 'P' };
                    let text = std::str::from_utf8(part).unwrap();
                    entries.push(format!("{TIME} stdout {tag} {text}\n"));
                }
                if parts.is_empty() {
                    entries.push(format!("{TIME} stdout F \n"));
                }
            }
            let expected: String =
                lines.iter().flat_map(|(line, _)| [line.as_str(), "\n"]).collect();
            let at = at.min(entries.len());
            let (head, tail) = (entries[..at].concat(), entries[at..].concat());
            let mut joiner = Joiner::default();
            let mut joined = joiner.join(head.as_bytes());
            let again = head.len() - joiner.pending() as usize;
            let mut resumed = joined.clone();
            joined.extend(joiner.join(tail.as_bytes()));
            prop_assert_eq!(String::from_utf8(joined).unwrap(), expected.clone());
            let rest = head[again..].to_owned() + &tail;
            resumed.extend(Joiner::default().join(rest.as_bytes()));
            prop_assert_eq!(String::from_utf8(resumed).unwrap(), expected);
        }
    }
}
