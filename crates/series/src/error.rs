//! Why there is no answer, in Prometheus' words.

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It cannot be read, or asks for what is not there.
    #[error("{0}")]
    BadData(String),
    /// It has no meaning for these data.
    #[error("{0}")]
    Execution(String),
    /// It took too long.
    #[error("query timed out: narrow the time range or the selection")]
    Timeout,
    /// Whoever should answer does not.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody has given it up.
    #[error("query was canceled")]
    Canceled,
}

impl QueryError {
    /// `errorType` of Prometheus' HTTP API.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadData(_) => "bad_data",
            Self::Execution(_) => "execution",
            Self::Timeout => "timeout",
            Self::Unavailable(_) => "unavailable",
            Self::Canceled => "canceled",
        }
    }

    /// True where fewer samples at a time could have been had.
    pub fn is_too_many_samples(&self) -> bool {
        *self == Self::too_many_samples()
    }

    pub(crate) fn execution(text: impl Into<String>) -> Self {
        Self::Execution(text.into())
    }

    pub(crate) fn too_many_samples() -> Self {
        let why = "query processing would load too many samples into memory in query execution";
        Self::execution(why)
    }

    pub(crate) fn unsupported(what: &str) -> Self {
        Self::BadData(format!("{what} is not supported"))
    }
}
