//! Sources of event lines: files, standard input, HTTP bodies; the bounded queue and the journal.
#![forbid(unsafe_code)]
