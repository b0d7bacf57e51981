//! Query parameters: read once, every one of them bounded, none ignored.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use hanabi_detect::{AlertSource, AlertState, Kind};
use hanabi_event::{Category, EventTime, Priority};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::times;

/// The longest value of a parameter: longer than any command line worth searching for.
const VALUE_MAX: usize = 2_048;
/// Rows of a page when `limit` is not given.
const LIMIT_DEFAULT: usize = 100;
/// Rows of a page at most; the store's own bound is the same.
pub(crate) const LIMIT_MAX: usize = 1_000;

/// A request's parameters. A handler takes out what it knows and calls [`Params::finish`], which
/// refuses the rest, so that a misspelt filter is never taken for no filter.
#[derive(Debug)]
pub(crate) struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(given) = query.map_err(|error| {
            ApiError::parameter("query", parts.uri.query().unwrap_or(""), error.body_text())
        })?;
        Ok(Self { given, known: Vec::new() })
    }
}

impl Params {
    /// The value of a parameter; an empty one counts as absent.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<Option<String>, ApiError> {
        self.known.push(field);
        let mut found: Option<String> = None;
        for (_, value) in self.given.iter().filter(|(name, _)| name == field) {
            if found.is_some() {
                return Err(ApiError::parameter(field, value, "it can be given once"));
            }
            if value.len() > VALUE_MAX {
                let bound = format!("it can have at most {VALUE_MAX} bytes");
                return Err(ApiError::parameter(field, value, bound));
            }
            found = Some(value.clone());
        }
        Ok(found.filter(|value| !value.is_empty()))
    }

    /// Refuses what no one has asked for.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let unknown = self.given.iter().find(|(name, _)| !self.known.contains(&name.as_str()));
        match unknown {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::UnknownParameter {
                field: name.chars().take(100).collect(),
                known: if self.known.is_empty() { "none".into() } else { self.known.join(", ") },
            }),
        }
    }

    /// A whole number within bounds.
    pub(crate) fn number(
        &mut self,
        field: &'static str,
        least: usize,
        most: usize,
    ) -> Result<Option<usize>, ApiError> {
        self.text(field)?
            .map(|text| match text.parse::<usize>() {
                Ok(number) if (least..=most).contains(&number) => Ok(number),
                _ => {
                    let bound = format!("it is a whole number from {least} to {most}");
                    Err(ApiError::parameter(field, &text, bound))
                }
            })
            .transpose()
    }

    /// `true` or `false`; absent is false.
    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, ApiError> {
        match self.text(field)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(ApiError::parameter(field, text, "it is true or false")),
        }
    }

    /// `limit`.
    pub(crate) fn limit(&mut self) -> Result<usize, ApiError> {
        Ok(self.number("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT))
    }

    fn time(&mut self, field: &'static str) -> Result<Option<EventTime>, ApiError> {
        self.text(field)?
            .map(|text| {
                times::parse(&text).ok_or_else(|| {
                    let bound = "it is an RFC 3339 time with an offset, or whole nanoseconds since \
                                 1970";
                    ApiError::parameter(field, &text, bound)
                })
            })
            .transpose()
    }

    /// One time.
    pub(crate) fn moment(&mut self, field: &'static str) -> Result<Option<EventTime>, ApiError> {
        self.time(field)
    }

    /// `start` and `end`.
    pub(crate) fn span(&mut self) -> Result<(Option<EventTime>, Option<EventTime>), ApiError> {
        let (start, end) = (self.time("start")?, self.time("end")?);
        if let (Some(start), Some(end)) = (start, end)
            && start >= end
        {
            let bound = format!("it is later than start, {}", times::text(start));
            return Err(ApiError::parameter("end", &times::text(end), bound));
        }
        Ok((start, end))
    }

    /// `priority`: this one and those above it.
    pub(crate) fn priority(&mut self) -> Result<Option<Priority>, ApiError> {
        self.text("priority")?
            .map(|text| {
                Priority::parse(&text).ok_or_else(|| {
                    let words = Priority::ALL.map(Priority::as_str).join(", ");
                    ApiError::parameter("priority", &text, format!("it is one of {words}"))
                })
            })
            .transpose()
    }

    /// A comma-separated list of one of our closed sets, by their JSON words.
    fn words<T: DeserializeOwned>(
        &mut self,
        field: &'static str,
        bound: &str,
    ) -> Result<Vec<T>, ApiError> {
        let Some(text) = self.text(field)? else { return Ok(Vec::new()) };
        text.split(',')
            .map(|word| {
                serde_json::from_value(word.trim().to_lowercase().into())
                    .map_err(|_| ApiError::parameter(field, word.trim(), bound))
            })
            .collect()
    }

    fn word<T: DeserializeOwned>(
        &mut self,
        field: &'static str,
        bound: &str,
    ) -> Result<Option<T>, ApiError> {
        let mut words = self.words(field, bound)?;
        if words.len() > 1 {
            return Err(ApiError::parameter(field, "", format!("{bound}, and only one of them")));
        }
        Ok(words.pop())
    }

    /// `category`, one of them.
    pub(crate) fn category(&mut self) -> Result<Option<Category>, ApiError> {
        self.word("category", CATEGORIES)
    }

    /// `category`, several of them.
    pub(crate) fn categories(&mut self) -> Result<Vec<Category>, ApiError> {
        self.words("category", CATEGORIES)
    }

    /// `state`, several of them.
    pub(crate) fn states(&mut self) -> Result<Vec<AlertState>, ApiError> {
        self.words("state", "it is open, acknowledged, suppressed, promoted or resolved")
    }

    /// `source`.
    pub(crate) fn source(&mut self) -> Result<Option<AlertSource>, ApiError> {
        self.word("source", "it is hanabi or falco")
    }

    /// `kind`.
    pub(crate) fn kind(&mut self) -> Result<Option<Kind>, ApiError> {
        self.word("kind", "it is a kind of alert, such as new_process, new_peer, danger or rule")
    }
}

const CATEGORIES: &str = "it is process, network, file or unknown";
