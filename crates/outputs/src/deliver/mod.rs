//! Handing messages to a receiver, once: what fails is the sender's to try again.

pub(crate) mod alertmanager;
mod file;
mod http;
mod syslog;

use std::{io::Write as _, time::Duration};

use crate::{OutputSettings, Target, format, notice::Notice};
use alertmanager::Alertmanager;
use file::LogFile;
use http::Poster;
use syslog::Syslog;

/// What handing over has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The receiver has them.
    Taken,
    /// It does not want these, now or ever; why.
    Refused(String),
    /// They are to be tried again, not before some time where it asks for that; why.
    Later(String, Option<Duration>),
}

/// An open way to a receiver.
pub(crate) enum Receiver {
    Webhook(Poster),
    Alertmanager(Box<Alertmanager>),
    Syslog(Syslog),
    File(LogFile),
    Stdout,
}

impl Receiver {
    /// Opens nothing yet but what needs no network. An error is about the configuration.
    pub(crate) fn new(settings: &OutputSettings) -> Result<Self, String> {
        Ok(match &settings.target {
            Target::Webhook(http) => Self::Webhook(Poster::new(http, &http.url)?),
            Target::Alertmanager(http) => Self::Alertmanager(Box::new(Alertmanager::new(http)?)),
            Target::Syslog(address) => Self::Syslog(Syslog::new(address.clone())),
            Target::File(path, rotation) => Self::File(LogFile::new(path.clone(), *rotation)),
            Target::Stdout => Self::Stdout,
        })
    }

    /// How many messages go together at most.
    pub(crate) fn together(&self) -> usize {
        match self {
            // A webhook takes one alert with each request.
            Self::Webhook(_) => 1,
            Self::Alertmanager(_) | Self::Syslog(_) | Self::File(_) | Self::Stdout => 32,
        }
    }

    /// Hands messages over, all of them or none; what was taken twice after a failure is the same
    /// to receivers that look at numbers.
    pub(crate) fn deliver(&mut self, settings: &OutputSettings, notices: &[Notice]) -> Sent {
        let lines = || notices.iter().map(|notice| format::write(settings, notice));
        match self {
            Self::Webhook(poster) => {
                let kind = format::content_type(settings.format);
                for line in lines() {
                    match poster.post(kind, line.as_bytes()) {
                        Sent::Taken => {}
                        other => return other,
                    }
                }
                Sent::Taken
            }
            Self::Alertmanager(alertmanager) => alertmanager.deliver(settings, notices),
            Self::Syslog(syslog) => syslog.deliver(settings, notices),
            Self::File(file) => file.append(lines()),
            Self::Stdout => {
                let mut out = std::io::stdout().lock();
                let written = lines().try_for_each(|line| writeln!(out, "{line}"));
                match written.and_then(|()| out.flush()) {
                    Ok(()) => Sent::Taken,
                    Err(error) => Sent::Later(format!("standard output: {error}"), None),
                }
            }
        }
    }
}
