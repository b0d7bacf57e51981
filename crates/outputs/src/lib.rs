//! Where alerts go: Falco's webhook, Alertmanager, syslog, files.
//!
//! [`Outputs::offer`] takes changed alerts from the engine and never waits. One thread compares them
//! with what was told before and writes what is news to the spool of every output whose route
//! wants it; one thread for each output takes messages from its spool and delivers them in order,
//! again and again until the receiver has taken them. So a receiver that hangs costs disk, not
//! memory, and what was told survives a kill.
//!
//! An alert is news when [`hanabi_detect::Alert::notifications`] has grown: suppressions, windows of
//! maintenance and mere counts do not move it. That it is over is told where the format has a word
//! for it. Delivery is at least once: who is killed between a receiver's yes and its note sends one
//! message again.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod backoff;
mod deliver;
mod format;
mod notice;
mod outputs;
mod sender;
mod settings;
mod spool;
mod status;
mod template;
#[cfg(test)]
mod testing;
mod told;

pub use deliver::alertmanager::RESEND_EVERY;
pub use notice::{Notice, SHORT_TEXT, TEXT};
pub use outputs::{OutputError, Outputs, QUEUE_ALERTS, StartError};
pub use settings::{
    Format, HttpTarget, Kind, OutputSettings, Retry, Rotation, Route, SyslogAddress, Target,
    shown_url,
};
pub use status::{OutputState, OutputStatus};
pub use template::{PLACEHOLDERS, Template, TemplateError};
