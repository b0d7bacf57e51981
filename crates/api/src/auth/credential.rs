//! What a request shows to say who asks, read from its headers.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::session::COOKIE;

/// What a request shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Nothing.
    Nothing,
    /// A token, as Bearer or as the password of Basic; whose name stands beside it does not count.
    Token(String),
    /// A session's cookie.
    Cookie(String),
    /// Something that cannot be read.
    Unreadable,
}

/// The longest token: one that is signed has its claims in it.
const TOKEN_BYTES: usize = 8 << 10;

/// Reads the headers. A header that is there and wrong is not made good by a cookie.
pub(crate) fn of(headers: &HeaderMap) -> Credential {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (Some(value), None) => token(value).map_or(Credential::Unreadable, Credential::Token),
        (Some(_), Some(_)) => Credential::Unreadable,
        (None, _) => cookie(headers).map_or(Credential::Nothing, Credential::Cookie),
    }
}

fn token(value: &HeaderValue) -> Option<String> {
    let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    let rest = rest.trim();
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        rest.to_owned()
    } else if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        text.split_once(':')?.1.to_owned()
    } else {
        return None;
    };
    (!token.is_empty() && token.len() <= TOKEN_BYTES).then_some(token)
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Credential {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        of(&map)
    }

    #[test]
    fn headers_are_read_as_tokens_and_cookies() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let token = |text: &str| Credential::Token(text.to_owned());
        let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES + 1));
        for (value, expected) in [
            ("Bearer hnb_1", token("hnb_1")),
            ("bearer  hnb_1 ", token("hnb_1")),
            (&basic("falco:hnb_1"), token("hnb_1")),
            (&basic(":hnb:1"), token("hnb:1")),
            (&basic("hnb_1"), Credential::Unreadable),
            (&basic("hnb_1:"), Credential::Unreadable),
            ("Basic ***", Credential::Unreadable),
            ("Bearer", Credential::Unreadable),
            ("Bearer ", Credential::Unreadable),
            ("Digest x", Credential::Unreadable),
            (&long, Credential::Unreadable),
            ("", Credential::Unreadable),
        ] {
            assert_eq!(read(&[("authorization", value)]), expected, "{value}");
            let cookie = ("cookie", "hanabi_session=c");
            assert_eq!(read(&[cookie, ("authorization", value)]), expected, "{value}");
        }
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
        assert_eq!(read(&two), Credential::Unreadable);
        assert_eq!(read(&[]), Credential::Nothing);
        let cookies = read(&[("cookie", "a=b; hanabi_session=c"), ("cookie", "hanabi_session=d")]);
        assert_eq!(cookies, Credential::Cookie("c".into()));
        assert_eq!(read(&[("cookie", "xhanabi_session=c")]), Credential::Nothing);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(value in prop::collection::vec(32u8..=255, 0..80)) {
            let mut map = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                map.insert(header::AUTHORIZATION, value);
                prop_assert!(!matches!(of(&map), Credential::Nothing | Credential::Cookie(_)));
            }
        }
    }
}
