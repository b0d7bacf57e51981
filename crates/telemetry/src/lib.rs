//! Metric names, bounded labels and the exposition formats.
#![forbid(unsafe_code)]
