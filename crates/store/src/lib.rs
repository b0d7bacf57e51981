//! Durable state on one machine: checkpoints, snapshots, alerts, the event log.
#![forbid(unsafe_code)]
