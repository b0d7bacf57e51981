//! Tokens of the service: made, known again, revoked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use hanabi_event::{EventTime, SECOND};
use hanabi_store::{AuditEntry, Store, StoreError, StoredToken, TOKENS_LIMIT};
use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::principal::{Principal, PrincipalKind, Role};
use super::scope::Scope;

/// What a token begins with, so that people and scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "hnb_";
/// Random bytes of a token: 256 bits cannot be guessed.
const RANDOM_BYTES: usize = 32;
/// Hexadecimal digits of a hash that name its token: enough that no two have the same.
const ID_DIGITS: usize = 16;
/// The longest name.
const NAME_BYTES: usize = 64;
/// How coarsely it is noted when a token was used: each note is a write to the disk.
const USED_EVERY: EventTime = 3_600 * SECOND;
/// Bytes of a token that a person has chosen, at least: as many as random ones have in base64.
const CHOSEN_BYTES: usize = 32;

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name of whoever uses it.
    pub name: String,
    /// What it allows …
    pub role: Role,
    /// … and to which containers.
    pub scope: Scope,
    /// From when on it is refused, ns; `None` for never.
    pub expires: Option<EventTime>,
}

impl NewToken {
    /// Why it cannot be one, if so.
    pub fn problem(&self) -> Option<String> {
        let letters = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if self.name.is_empty()
            || self.name.len() > NAME_BYTES
            || !self.name.chars().all(letters)
            || self.name == hanabi_detect::ENGINE
        {
            return Some(format!(
                "a name is 1 to {NAME_BYTES} letters, digits, `-`, `_`, `.` and `@`, and not the engine's"
            ));
        }
        if !self.role.takes_scope() && !self.scope.is_everything() {
            return Some(format!(
                "the role {} has no scope: machines work for all containers",
                self.role.as_str()
            ));
        }
        self.scope.problem()
    }

    /// Makes it: the token itself, which is shown once, and what is kept of it. An error where the
    /// system has no random numbers.
    pub fn make(
        &self,
        by: &str,
        now: EventTime,
    ) -> Result<(String, StoredToken), getrandom::Error> {
        let mut bytes = [0u8; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        let token = format!("{TOKEN_PREFIX}{}", hex(&bytes));
        let hash = hex(&hash(&token));
        let stored = StoredToken {
            id: hash[..ID_DIGITS].to_owned(),
            name: self.name.clone(),
            role: self.role.as_str().to_owned(),
            namespaces: self.scope.namespaces.clone(),
            containers: self.scope.containers.clone(),
            hash,
            created: now,
            created_by: by.to_owned(),
            expires: self.expires,
            last_used: None,
        };
        Ok((token, stored))
    }
}

/// The tokens that are known. Lists are read from the store; these are for knowing them again.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: RwLock<HashMap<String, Known>>,
    chosen: Option<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    id: String,
    hash: [u8; 32],
    who: Arc<Principal>,
    expires: Option<EventTime>,
    used: Option<EventTime>,
}

/// A token that was known again.
pub(crate) struct Recognised {
    pub(crate) id: String,
    pub(crate) who: Arc<Principal>,
    /// It was not used for a while, which is to be noted down.
    pub(crate) note_use: bool,
}

impl Tokens {
    /// Those of the store, and one that the configuration names, if any.
    pub(crate) fn load(store: &Store, chosen: Option<&str>) -> Result<Self, StoreError> {
        let mut known = HashMap::new();
        for stored in store.tokens()? {
            let Some(one) = Known::of(&stored) else {
                tracing::error!(
                    id = stored.id,
                    "a stored token is refused: this version does not know what it allows"
                );
                continue;
            };
            known.insert(stored.id.clone(), one);
        }
        let chosen = chosen.map(|token| Known {
            id: "configured".to_owned(),
            hash: hash(token),
            who: Arc::new(Principal {
                name: "configured".to_owned(),
                role: Role::Admin,
                scope: Scope::everything(),
                kind: PrincipalKind::Token,
            }),
            expires: None,
            // Its use is noted nowhere.
            used: Some(EventTime::MAX),
        });
        Ok(Self { known: RwLock::new(known), chosen })
    }

    /// Whose token this is. It is found by a part of its hash, which tells nothing of the token, and
    /// compared in constant time.
    pub(crate) fn recognise(&self, token: &str, now: EventTime) -> Option<Recognised> {
        let hash = hash(token);
        let id = &hex(&hash)[..ID_DIGITS];
        let known = self.known.read();
        let chosen = self.chosen.as_ref().filter(|one| bool::from(one.hash.ct_eq(&hash)));
        let found = known.get(id).filter(|one| bool::from(one.hash.ct_eq(&hash)));
        let one = found.or(chosen).filter(|one| one.is_valid(now))?;
        let note_use = one.used.is_none_or(|used| now.saturating_sub(used) >= USED_EVERY)
            && one.used != Some(EventTime::MAX);
        Some(Recognised { id: one.id.clone(), who: one.who.clone(), note_use })
    }

    /// Whose token has this id, while it is valid: a session ends with its token.
    pub(crate) fn by_id(&self, id: &str, now: EventTime) -> Option<Arc<Principal>> {
        let known = self.known.read();
        let one = known.get(id).or(self.chosen.as_ref().filter(|one| one.id == id));
        one.filter(|one| one.is_valid(now)).map(|one| one.who.clone())
    }

    /// Makes a token and keeps it; `Ok(None)` when there are too many. Blocks.
    pub(crate) fn create(
        &self,
        store: &Store,
        new: &NewToken,
        now: EventTime,
        entry: &AuditEntry,
    ) -> Result<Option<(String, StoredToken)>, CreateError> {
        // Held over the write, so that two cannot be the last one at once.
        let mut known = self.known.write();
        if known.len() >= TOKENS_LIMIT {
            return Ok(None);
        }
        let (token, stored) = new.make(&entry.by, now)?;
        store
            .put_token(&stored, Some(&AuditEntry { object: stored.id.clone(), ..entry.clone() }))?;
        known.extend(Known::of(&stored).map(|one| (stored.id.clone(), one)));
        Ok(Some((token, stored)))
    }

    /// Takes a token out; false when there is none. Blocks.
    pub(crate) fn revoke(
        &self,
        store: &Store,
        id: &str,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut known = self.known.write();
        let was_there = store.remove_token(id, entry)?;
        known.remove(id);
        Ok(was_there)
    }

    /// Notes that a token was used. Blocks.
    pub(crate) fn note_use(
        &self,
        store: &Store,
        id: &str,
        now: EventTime,
    ) -> Result<(), StoreError> {
        // Whoever revokes it meanwhile waits, so that it does not come back.
        let mut known = self.known.write();
        let Some(one) = known.get_mut(id) else { return Ok(()) };
        if one.used.is_some_and(|used| now.saturating_sub(used) < USED_EVERY) {
            return Ok(());
        }
        one.used = Some(now);
        let stored = store.tokens()?.into_iter().find(|stored| stored.id == id);
        match stored {
            Some(stored) => store.put_token(&StoredToken { last_used: Some(now), ..stored }, None),
            None => Ok(()),
        }
    }
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    #[error("the system has no random numbers")]
    Random(#[from] getrandom::Error),
    #[error("the token could not be stored")]
    Store(#[from] StoreError),
}

impl Known {
    fn of(stored: &StoredToken) -> Option<Self> {
        let who = Principal {
            name: stored.name.clone(),
            role: Role::parse(&stored.role)?,
            scope: Scope {
                namespaces: stored.namespaces.clone(),
                containers: stored.containers.clone(),
            },
            kind: PrincipalKind::Token,
        };
        Some(Self {
            id: stored.id.clone(),
            hash: unhex(&stored.hash)?,
            who: Arc::new(who),
            expires: stored.expires,
            used: stored.last_used,
        })
    }

    fn is_valid(&self, now: EventTime) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

/// Why a token from a file cannot be one: the error tells what it has to be.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("failed to read the token in {path}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error(
        "{path} holds no token: one line of at least {CHOSEN_BYTES} printable characters is expected, such as `openssl rand -hex 32` makes"
    )]
    NoToken {
        /// The file.
        path: String,
    },
}

/// Reads a token that a person has put into a file.
pub fn token_of_file(path: &Path) -> Result<String, TokenFileError> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| TokenFileError::Unreadable { path: name(), source })?;
    let token = text.trim();
    if token.len() < CHOSEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenFileError::NoToken { path: name() });
    }
    Ok(token.to_owned())
}

pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Hexadecimal digits, in lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use hanabi_store::StoreOptions;

    use super::*;

    fn new(name: &str, role: Role, containers: &[&str]) -> NewToken {
        let containers = containers.iter().map(|&one| one.to_owned()).collect();
        let scope = Scope { containers, ..Scope::default() };
        NewToken { name: name.into(), role, scope, expires: None }
    }

    fn entry() -> AuditEntry {
        AuditEntry { by: "ann".into(), action: "token.create".into(), ..AuditEntry::default() }
    }

    #[test]
    fn a_token_is_known_until_it_is_revoked_or_expires_and_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let tokens = Tokens::load(&store, None).unwrap();
        let ends = NewToken { expires: Some(100), ..new("ci", Role::Ingest, &[]) };
        let (ci, _) = tokens.create(&store, &ends, 10, &entry()).unwrap().unwrap();
        let web = new("web", Role::Viewer, &["web"]);
        let (web, kept) = tokens.create(&store, &web, 10, &entry()).unwrap().unwrap();
        for tokens in [&tokens, &Tokens::load(&store, None).unwrap()] {
            let name = |token: &str, now| tokens.recognise(token, now).map(|r| r.who.name.clone());
            assert_eq!(name(&ci, 99).as_deref(), Some("ci"));
            assert_eq!(name(&ci, 100), None);
            assert_eq!(name(&web, 100).as_deref(), Some("web"));
            assert_eq!(tokens.recognise(&web, 1).unwrap().who.scope.containers, ["web"]);
            for wrong in ["", "hnb_", &web[..web.len() - 1], &web.to_uppercase(), &kept.hash] {
                assert_eq!(name(wrong, 10), None, "{wrong}");
            }
        }
        assert!(tokens.by_id(&kept.id, 1).is_some());
        assert!(tokens.revoke(&store, &kept.id, &entry()).unwrap());
        assert!(!tokens.revoke(&store, &kept.id, &entry()).unwrap());
        assert!(tokens.recognise(&web, 100).is_none());
        assert!(tokens.by_id(&kept.id, 1).is_none());
    }

    #[test]
    fn the_token_itself_is_nowhere_in_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let tokens = Tokens::load(&store, None).unwrap();
        let (token, kept) =
            tokens.create(&store, &new("a", Role::Admin, &[]), 1, &entry()).unwrap().unwrap();
        assert!(token.starts_with(TOKEN_PREFIX) && token.len() == 4 + 64, "{token}");
        assert_ne!(format!("{TOKEN_PREFIX}{}", kept.hash), token);
        drop(store);
        let secret = &token.as_bytes()[TOKEN_PREFIX.len()..];
        let bytes = std::fs::read(dir.path().join("hanabi.redb")).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        assert!(bytes.windows(64).any(|window| window == kept.hash.as_bytes()));
    }

    #[test]
    fn use_is_noted_coarsely_and_not_after_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let tokens = Tokens::load(&store, None).unwrap();
        let (token, kept) =
            tokens.create(&store, &new("a", Role::Admin, &[]), 1, &entry()).unwrap().unwrap();
        let noted = |now| tokens.recognise(&token, now).unwrap().note_use;
        let used = || store.tokens().unwrap()[0].last_used;
        assert!(noted(USED_EVERY));
        tokens.note_use(&store, &kept.id, USED_EVERY).unwrap();
        tokens.note_use(&store, &kept.id, USED_EVERY + 1).unwrap();
        assert_eq!(used(), Some(USED_EVERY));
        assert!(!noted(2 * USED_EVERY - 1) && noted(2 * USED_EVERY));
        tokens.revoke(&store, &kept.id, &entry()).unwrap();
        tokens.note_use(&store, &kept.id, 9 * USED_EVERY).unwrap();
        assert!(store.tokens().unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        assert_eq!(new("ci@x", Role::Viewer, &["web"]).problem(), None);
        let long = "n".repeat(NAME_BYTES + 1);
        for wrong in [
            new("", Role::Viewer, &[]),
            new("a b", Role::Viewer, &[]),
            new("a\n", Role::Viewer, &[]),
            new(&long, Role::Viewer, &[]),
            new("ci", Role::Ingest, &["web"]),
            new("ci", Role::Metrics, &["web"]),
            new("ann", Role::Viewer, &["\""]),
        ] {
            assert!(wrong.problem().is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn a_configured_token_is_an_admins() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let file = dir.path().join("token");
        for (text, good) in
            [("short", false), (&*"x".repeat(31), false), ("a b".repeat(20).as_str(), false)]
                .into_iter()
                .chain([("0123456789abcdef0123456789abcdef\n", true)])
        {
            std::fs::write(&file, text).unwrap();
            assert_eq!(token_of_file(&file).is_ok(), good, "{text}");
        }
        let token = token_of_file(&file).unwrap();
        let tokens = Tokens::load(&store, Some(&token)).unwrap();
        let known = tokens.recognise(&token, 1).unwrap();
        assert_eq!((known.who.role, known.note_use), (Role::Admin, false));
        assert!(tokens.by_id(&known.id, 1).is_some());
        assert!(token_of_file(&dir.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
