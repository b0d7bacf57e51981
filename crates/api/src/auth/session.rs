//! Sessions of the console: a token is shown once and a cookie carries on.
//!
//! The cookie is `HttpOnly`, so that no script can read it, and `SameSite=Strict`, so that no other
//! site's page sends it. Changes need a second word beside it, in a header that no form can set and
//! that only a script of the same origin can have read.

use std::collections::HashMap;
use std::sync::Arc;

use hanabi_event::{EventTime, SECOND};
use parking_lot::Mutex;
use subtle::ConstantTimeEq as _;

use super::principal::Principal;
use super::token::{Tokens, hash, hex};

/// Sessions at a time: each person has a few, and one is some 300 bytes.
pub(crate) const SESSIONS_MAX: usize = 1_000;
/// A session that is not used for this long ends: a working day's longest break.
pub(crate) const IDLE: EventTime = 3_600 * SECOND;
/// A session ends after this long, however busy: a working day.
pub(crate) const ABSOLUTE: EventTime = 12 * 3_600 * SECOND;
/// The cookie's name.
pub(crate) const COOKIE: &str = "hanabi_session";
/// The header of the second word.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";

/// A session, by the hash of its cookie.
pub(crate) type SessionKey = [u8; 32];

/// Whose session it is.
#[derive(Clone, Debug)]
pub(crate) enum Holder {
    /// The holder of a token, by its id: the session ends with it.
    Token(String),
    /// The holder of a signed token, until it ends.
    Jwt(Arc<Principal>, EventTime),
}

#[derive(Debug)]
struct Session {
    holder: Holder,
    csrf: String,
    began: EventTime,
    used: EventTime,
}

/// The sessions there are; they end with the process.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: Mutex<HashMap<SessionKey, Session>>,
}

/// A session that has just begun.
pub(crate) struct Begun {
    /// What the cookie says; kept nowhere.
    pub(crate) cookie: String,
}

impl Begun {
    /// By which the session is found.
    pub(crate) fn key(&self) -> SessionKey {
        hash(&self.cookie)
    }
}

impl Sessions {
    /// Begins a session. Where there is no room the one that was not used for the longest time goes.
    pub(crate) fn begin(&self, holder: Holder, now: EventTime) -> Result<Begun, getrandom::Error> {
        let mut random = [0; 64];
        getrandom::fill(&mut random)?;
        let (cookie, csrf) = (hex(&random[..32]), hex(&random[32..]));
        let mut all = self.all.lock();
        all.retain(|_, session| session.lasts(now));
        if all.len() >= SESSIONS_MAX {
            let oldest = all.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        let session = Session { holder, csrf, began: now, used: now };
        all.insert(hash(&cookie), session);
        Ok(Begun { cookie })
    }

    /// Whose session this cookie is, while both last.
    pub(crate) fn find(
        &self,
        cookie: &str,
        tokens: &Tokens,
        now: EventTime,
    ) -> Option<(SessionKey, Arc<Principal>)> {
        let key = hash(cookie);
        let who = self.holder(&key, tokens, now)?;
        if let Some(session) = self.all.lock().get_mut(&key) {
            session.used = now.max(session.used);
        }
        Some((key, who))
    }

    /// The same without using it.
    pub(crate) fn holder(
        &self,
        key: &SessionKey,
        tokens: &Tokens,
        now: EventTime,
    ) -> Option<Arc<Principal>> {
        let all = self.all.lock();
        match &all.get(key).filter(|session| session.lasts(now))?.holder {
            Holder::Token(id) => tokens.by_id(id, now),
            Holder::Jwt(who, end) => (now < *end).then(|| who.clone()),
        }
    }

    /// True for the second word of a session.
    pub(crate) fn is_csrf(&self, key: &SessionKey, word: &str) -> bool {
        let all = self.all.lock();
        all.get(key)
            .is_some_and(|session| bool::from(session.csrf.as_bytes().ct_eq(word.as_bytes())))
    }

    /// The second word of a session, for whoever has the cookie.
    pub(crate) fn csrf(&self, key: &SessionKey) -> Option<String> {
        self.all.lock().get(key).map(|session| session.csrf.clone())
    }

    /// Ends a session; false when there was none.
    pub(crate) fn end(&self, key: &SessionKey) -> bool {
        self.all.lock().remove(key).is_some()
    }
}

impl Session {
    fn lasts(&self, now: EventTime) -> bool {
        now.saturating_sub(self.used) < IDLE && now.saturating_sub(self.began) < ABSOLUTE
    }
}

/// The header that gives a browser its cookie.
pub(crate) fn session_cookie(begun: &Begun, tls: bool) -> String {
    format!("{COOKIE}={}; Max-Age={}{}", begun.cookie, ABSOLUTE / SECOND, attributes(tls))
}

/// The header that takes it back.
pub(crate) fn clear_cookie(tls: bool) -> String {
    format!("{COOKIE}=; Max-Age=0{}", attributes(tls))
}

fn attributes(tls: bool) -> &'static str {
    if tls {
        "; Path=/; HttpOnly; SameSite=Strict; Secure"
    } else {
        "; Path=/; HttpOnly; SameSite=Strict"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(end: EventTime) -> Holder {
        Holder::Jwt(Arc::new(Principal::operator()), end)
    }

    #[test]
    fn sessions_end_when_idle_when_old_and_with_what_they_came_from() {
        let (sessions, tokens) = (Sessions::default(), Tokens::default());
        let lasts = |cookie: &str, now| sessions.find(cookie, &tokens, now).is_some();
        let busy = sessions.begin(jwt(EventTime::MAX), 0).unwrap().cookie;
        let idle = sessions.begin(jwt(EventTime::MAX), 0).unwrap().cookie;
        let short = sessions.begin(jwt(IDLE / 2), 0).unwrap().cookie;
        assert!(lasts(&idle, 0) && lasts(&short, IDLE / 2 - 1) && !lasts(&short, IDLE / 2));
        let mut now = 0;
        while now + IDLE / 2 < ABSOLUTE {
            now += IDLE / 2;
            assert!(lasts(&busy, now), "{now}");
        }
        assert!(!lasts(&idle, now) && !lasts(&busy, ABSOLUTE));
        let gone = sessions.begin(Holder::Token("unknown".into()), 0).unwrap().cookie;
        assert!(!lasts(&gone, 1) && !lasts("", 1));
    }

    #[test]
    fn the_second_word_is_the_sessions_own() {
        let (sessions, tokens) = (Sessions::default(), Tokens::default());
        let [a, b] = [0; 2].map(|now| sessions.begin(jwt(EventTime::MAX), now).unwrap());
        let (key, _) = sessions.find(&a.cookie, &tokens, 1).unwrap();
        let word = |one: &Begun| sessions.csrf(&one.key()).unwrap();
        assert!(sessions.is_csrf(&key, &word(&a)));
        for wrong in [&*word(&b), "", &word(&a)[1..], &a.cookie] {
            assert!(!sessions.is_csrf(&key, wrong), "{wrong}");
        }
        assert!(sessions.end(&key) && !sessions.end(&key));
        assert!(sessions.find(&a.cookie, &tokens, 1).is_none());
        assert!(sessions.find(&b.cookie, &tokens, 1).is_some());
    }

    #[test]
    fn the_least_used_session_makes_room() {
        let (sessions, tokens) = (Sessions::default(), Tokens::default());
        let all: Vec<_> = (0..SESSIONS_MAX as u64)
            .map(|now| sessions.begin(jwt(EventTime::MAX), now).unwrap().cookie)
            .collect();
        let now = SESSIONS_MAX as u64;
        assert!(sessions.find(&all[0], &tokens, now).is_some());
        sessions.begin(jwt(EventTime::MAX), now).unwrap();
        assert!(sessions.find(&all[0], &tokens, now).is_some());
        assert!(sessions.find(&all[1], &tokens, now).is_none());
        assert_eq!(sessions.all.lock().len(), SESSIONS_MAX);
    }
}
