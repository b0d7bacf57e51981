//! A request's caller, as handlers get it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use hanabi_detect::Alert;
use hanabi_event::EventTime;
use hanabi_store::{AuditEntry, Keep, Owner};

use super::principal::Principal;
use super::scope::Scope;
use super::session::SessionKey;
use crate::app::AppParts;
use crate::error::ApiError;
use crate::live::Fleet;
use crate::times;

/// From where a request comes, and its number; every request has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    /// The other side of the connection; a proxy's where there is one.
    pub(crate) address: Option<IpAddr>,
    /// The request's id, as its answer's `x-request-id` has it.
    pub(crate) request: String,
}

impl Asking {
    /// The address in words.
    pub(crate) fn address(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }
}

/// What somebody has shown to say who they are, by which it is told whether it still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing, or what was looked at when the connection began.
    Nothing,
    /// A token, by its id.
    Token(String),
    /// A signed token that ends.
    Jwt(EventTime),
    /// A cookie.
    Session(SessionKey),
}

/// Who asks, from where, and by what.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) who: Arc<Principal>,
    pub(crate) shown: Shown,
    pub(crate) asking: Arc<Asking>,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::internal("a request has come past the gate"))
    }
}

impl Caller {
    pub(crate) fn scope(&self) -> &Scope {
        &self.who.scope
    }

    /// The fleet as this caller may see it; what is outside is as if it were not there.
    pub(crate) fn fleet(&self, parts: &AppParts) -> Arc<Fleet> {
        self.scope().fleet(parts.live.fleet())
    }

    /// An alert, if it is one that this caller may see. Blocks.
    pub(crate) fn alert(&self, parts: &AppParts, id: &str) -> Result<Option<Arc<Alert>>, ApiError> {
        let found = match parts.live.changed_alert(id) {
            Some(alert) => Some(alert),
            None => parts.store.alert(id)?.map(Arc::new),
        };
        // It may have left the overlay for the store between the two looks.
        let found = found.or_else(|| parts.live.changed_alert(id));
        Ok(found.filter(|alert| self.scope().covers_alert(alert)))
    }

    /// Refuses what is about more than a scope.
    pub(crate) fn everything(&self) -> Result<(), ApiError> {
        if self.scope().is_everything() {
            return Ok(());
        }
        Err(ApiError::Forbidden { needs: "a role without a scope" })
    }

    /// An entry of the audit log on what this caller does.
    pub(crate) fn entry(&self, action: &str, object: &str, outcome: &str) -> AuditEntry {
        AuditEntry {
            at: times::now(),
            by: self.who.name.clone(),
            action: action.to_owned(),
            object: object.to_owned(),
            outcome: outcome.to_owned(),
            address: self.asking.address(),
            request: self.asking.request.clone(),
            ..AuditEntry::default()
        }
    }
}

impl Scope {
    /// The store's filter; none where everything is let through, which costs nothing.
    pub(crate) fn keeps<'k>(&self, keep: &'k dyn Fn(&Owner) -> bool) -> Keep<'k> {
        (!self.is_everything()).then_some(keep)
    }

    /// True for a stored alert or incident of one of its containers.
    pub(crate) fn covers_owner(&self, owner: &Owner) -> bool {
        owner.names().any(|name| self.covers(&owner.identity, name))
    }
}
