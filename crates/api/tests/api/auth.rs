//! Who may do what, over real sockets.

mod roles;
mod scopes;
mod tls;
mod tokens;

use hanabi_api::{NewToken, RequestLimits, Role, Scope, SecurityOptions};
use serde_json::Value;

use crate::client::{Answer, request};
use crate::world::{Setup, World};

/// A token's making.
fn new(name: &str, role: Role, containers: &[&str]) -> NewToken {
    let containers = containers.iter().map(|&one| one.to_owned()).collect();
    let scope = Scope { containers, ..Scope::default() };
    NewToken { name: name.into(), role, scope, expires: None }
}

/// A gateway that asks who one is, with a token of each role and one that sees `web` alone.
pub(crate) fn guarded() -> Setup {
    let many = std::num::NonZeroU32::new(1_000_000).unwrap();
    // The limits have tests of their own.
    let limits = RequestLimits { per_principal: many, per_address: many };
    Setup {
        security: SecurityOptions { required: true, limits, ..SecurityOptions::default() },
        tokens: vec![
            new("viewer", Role::Viewer, &[]),
            new("analyst", Role::Analyst, &[]),
            new("admin", Role::Admin, &[]),
            new("ingest", Role::Ingest, &[]),
            new("metrics", Role::Metrics, &[]),
            new("scoped", Role::Analyst, &["web"]),
            new("scoped-admin", Role::Admin, &["web"]),
        ],
        ..Setup::default()
    }
}

async fn world() -> World {
    let world = World::start(guarded()).await;
    world.fill();
    world
}

/// A request by the holder of a token, by its name; `nobody` has none.
async fn by(world: &World, who: &str, method: &str, path: &str, body: &str) -> Answer {
    let bearer = world.tokens.get(who).map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(bearer.as_deref().map(|value| ("authorization", value)));
    request(world.addr, method, path, &headers, body.as_bytes()).await
}

async fn json(world: &World, who: &str, path: &str) -> Value {
    let answer = by(world, who, "GET", path, "").await;
    assert_eq!(answer.status, 200, "{who} {path}: {}", answer.text());
    answer.json()
}
