//! What a signed token has to be, and what it cannot be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::times;

const RSA: &[u8] = include_bytes!("../../../tests/keys/rsa.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("../../../tests/keys/rsa.pub.pem");
const EC: &[u8] = include_bytes!("../../../tests/keys/ec.pem");
const EC_PUBLIC: &[u8] = include_bytes!("../../../tests/keys/ec.pub.pem");
const SECRET: &[u8] = b"a secret of more than thirty-two bytes";

fn options(dir: &Path, keys: &[(JwtAlgorithm, &[u8])]) -> JwtOptions {
    let keys = keys
        .iter()
        .map(|(algorithm, bytes)| {
            let path = dir.join(algorithm.as_str());
            std::fs::write(&path, bytes).unwrap();
            (*algorithm, path)
        })
        .collect();
    JwtOptions {
        keys,
        issuer: "https://id.example".into(),
        audience: "hanabi".into(),
        leeway: Duration::from_mins(1),
        name_claim: "sub".into(),
        role_claim: "role".into(),
        namespaces_claim: "namespaces".into(),
        containers_claim: "containers".into(),
        ..JwtOptions::default()
    }
}

fn jwt(keys: &[(JwtAlgorithm, &[u8])]) -> Jwt {
    let dir = tempfile::tempdir().unwrap();
    Jwt::load(options(dir.path(), keys)).unwrap()
}

fn claims(changes: &Value) -> Value {
    let now = times::now() / SECOND;
    let mut claims = json!({ "sub": "ann", "role": "analyst", "iss": "https://id.example",
        "aud": "hanabi", "exp": now + 600 });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn signed(algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::HS256 => EncodingKey::from_secret(SECRET).unwrap(),
        Algorithm::ES256 => EncodingKey::from_ec_pem(EC).unwrap(),
        _ => EncodingKey::from_rsa_pem(RSA).unwrap(),
    };
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, &key).unwrap()
}

#[test]
fn each_algorithm_knows_its_own_signatures_only() {
    let all = [
        (JwtAlgorithm::Hs256, SECRET),
        (JwtAlgorithm::Rs256, RSA_PUBLIC),
        (JwtAlgorithm::Es256, EC_PUBLIC),
    ];
    for (algorithm, key) in all {
        let one = jwt(&[(algorithm, key)]);
        for (signing, _) in all {
            let token = signed(signing.library(), None, &claims(&json!({})));
            assert_eq!(
                one.verify(&token).is_ok(),
                signing == algorithm,
                "{algorithm:?} {signing:?}"
            );
            assert!(jwt(&all).verify(&token).is_ok(), "{signing:?}");
        }
        let token = signed(Algorithm::RS512, None, &claims(&json!({})));
        assert!(one.verify(&token).is_err());
    }
}

#[test]
fn claims_have_to_hold() {
    let jwt = jwt(&[(JwtAlgorithm::Es256, EC_PUBLIC)]);
    let now = times::now() / SECOND;
    for (changes, expected) in [
        (json!({}), Ok("ann")),
        (json!({ "exp": now - 30 }), Ok("ann")),
        (json!({ "exp": now - 90 }), Err("the signed token has expired")),
        (json!({ "exp": null }), Err("the signed token is not valid")),
        (json!({ "nbf": now + 30 }), Ok("ann")),
        (json!({ "nbf": now + 90 }), Err("the signed token is not valid yet")),
        (json!({ "aud": ["x", "hanabi"] }), Ok("ann")),
        (json!({ "aud": "x" }), Err("the signed token is for another audience")),
        (json!({ "aud": null }), Err("the signed token is not valid")),
        (json!({ "iss": "https://evil.example" }), Err("the signed token is of another issuer")),
        (json!({ "iss": null }), Err("the signed token is not valid")),
        (json!({ "sub": null }), Err("the signed token names nobody")),
        (json!({ "sub": "a\nb" }), Err("the signed token names nobody")),
        (json!({ "sub": "x".repeat(200) }), Err("the signed token names nobody")),
        (json!({ "sub": hanabi_detect::ENGINE }), Err("the signed token names nobody")),
        (json!({ "role": null }), Err(NO_ROLE)),
        (json!({ "role": "root" }), Err(NO_ROLE)),
        (json!({ "role": 1 }), Err(NO_ROLE)),
        (json!({ "namespaces": [] }), Err(NO_SCOPE)),
        (json!({ "namespaces": 1 }), Err(NO_SCOPE)),
        (json!({ "containers": ["a\"b"] }), Err(NO_SCOPE)),
        (json!({ "role": "ingest", "containers": ["web"] }), Err(NO_SCOPE)),
    ] {
        let verified = jwt.verify(&signed(Algorithm::ES256, None, &claims(&changes)));
        let name = verified.map(|(who, _)| who.name.clone());
        assert_eq!(name, expected.map(str::to_owned), "{changes}");
    }
}

#[test]
fn roles_and_scopes_come_from_claims() {
    let jwt = jwt(&[(JwtAlgorithm::Es256, EC_PUBLIC)]);
    for (changes, role, namespaces, containers) in [
        (json!({}), Role::Analyst, &[][..], &[][..]),
        (json!({ "role": ["x", "viewer", "admin"] }), Role::Admin, &[], &[]),
        (json!({ "role": ["metrics"] }), Role::Metrics, &[], &[]),
        (json!({ "namespaces": "shop" }), Role::Analyst, &["shop"], &[]),
        (json!({ "containers": ["a", "b*"] }), Role::Analyst, &[], &["a", "b*"]),
    ] {
        let token = signed(Algorithm::ES256, None, &claims(&changes));
        let (who, ends) = jwt.verify(&token).unwrap();
        assert_eq!((who.role, who.kind), (role, PrincipalKind::Jwt), "{changes}");
        assert_eq!(
            (&*who.scope.namespaces, &*who.scope.containers),
            (
                &*namespaces.iter().map(|&one| one.to_owned()).collect::<Vec<_>>(),
                &*containers.iter().map(|&one| one.to_owned()).collect::<Vec<_>>(),
            )
        );
        assert!(ends > times::now());
    }
}

#[test]
fn what_nobody_has_signed_is_refused() {
    let jwt = jwt(&[(JwtAlgorithm::Rs256, RSA_PUBLIC), (JwtAlgorithm::Es256, EC_PUBLIC)]);
    let good = signed(Algorithm::RS256, None, &claims(&json!({})));
    let body = BASE64.encode(claims(&json!({})).to_string());
    let headed = |alg: &str| BASE64.encode(json!({ "alg": alg, "typ": "JWT" }).to_string());
    // The public key as the secret of HS256, in the ways in which a verifier may hold it.
    let confused = |secret: &[u8]| {
        let key = EncodingKey::from_secret(secret).unwrap();
        encode(&Header::new(Algorithm::HS256), &claims(&json!({})), &key).unwrap()
    };
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let other = BASE64.encode(claims(&json!({ "role": "admin" })).to_string());
    for token in [
        format!("{}.{body}.", headed("none")),
        format!("{}.{body}.{signature}", headed("none")),
        format!("{}.{body}.{signature}", headed("None")),
        format!("{}.{body}.{signature}", headed("HS256")),
        confused(RSA_PUBLIC),
        confused(RSA_PUBLIC.trim_ascii()),
        confused(EC_PUBLIC),
        format!("{head}.{other}.{signature}"),
        format!("{head}.{payload}."),
        format!("{head}.{payload}"),
        format!("{}.{payload}.{signature}", headed("ES256")),
        signed(Algorithm::RS256, None, &claims(&json!({}))) + "x",
        "..".into(),
        String::new(),
    ] {
        assert!(jwt.verify(&token).is_err(), "{token}");
    }
    assert!(jwt.verify(&good).is_ok());
}

fn set() -> Value {
    let mut rsa = serde_json::to_value(public_jwk(Algorithm::RS256)).unwrap();
    let mut ec = serde_json::to_value(public_jwk(Algorithm::ES256)).unwrap();
    (rsa["kid"], ec["kid"]) = ("r1".into(), "e1".into());
    json!({ "keys": [rsa, ec] })
}

fn public_jwk(algorithm: Algorithm) -> Jwk {
    let key = match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_pem(EC).unwrap(),
        _ => EncodingKey::from_rsa_pem(RSA).unwrap(),
    };
    Jwk::from_encoding_key(&key, algorithm).unwrap()
}

#[test]
fn keys_of_a_set_are_chosen_by_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jwks.json");
    let load = |set: &Value| {
        std::fs::write(&file, set.to_string()).unwrap();
        Jwt::load(JwtOptions { jwks_file: Some(file.clone()), ..options(dir.path(), &[]) })
    };
    let jwt = load(&set()).unwrap();
    for (algorithm, kid, good) in [
        (Algorithm::RS256, Some("r1"), true),
        (Algorithm::ES256, Some("e1"), true),
        (Algorithm::RS256, Some("e1"), false),
        (Algorithm::RS256, Some("unknown"), false),
        (Algorithm::RS256, None, false),
        (Algorithm::HS256, Some("r1"), false),
    ] {
        let token = signed(algorithm, kid, &claims(&json!({})));
        assert_eq!(jwt.verify(&token).is_ok(), good, "{algorithm:?} {kid:?}");
    }
    let mut wrong = vec![json!({}), json!({ "keys": [] }), json!({ "keys": [{ "kty": "oct" }] })];
    for alg in ["HS256", "RS512", "none"] {
        let mut set = set();
        set["keys"][0]["alg"] = alg.into();
        wrong.push(set);
    }
    let mut crossed = set();
    crossed["keys"][0]["alg"] = "ES256".into();
    wrong.push(crossed);
    for set in wrong {
        assert!(load(&set).is_err(), "{set}");
    }
}

#[test]
fn files_that_are_no_keys_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for (algorithm, bytes) in [
        (JwtAlgorithm::Hs256, &b"short"[..]),
        (JwtAlgorithm::Hs256, RSA_PUBLIC),
        (JwtAlgorithm::Rs256, EC_PUBLIC),
        (JwtAlgorithm::Es256, RSA_PUBLIC),
        (JwtAlgorithm::Rs256, SECRET),
    ] {
        let error = Jwt::load(options(dir.path(), &[(algorithm, bytes)])).err().unwrap();
        let path = dir.path().join(algorithm.as_str()).display().to_string();
        assert!(error.to_string().starts_with(&path), "{error}");
    }
    let missing = JwtOptions { jwks_file: Some("/none".into()), ..options(dir.path(), &[]) };
    assert!(Jwt::load(missing).err().unwrap().to_string().contains("/none"));
}

#[test]
fn a_set_is_replaced_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let jwt = Jwt::load(options(dir.path(), &[(JwtAlgorithm::Hs256, SECRET)])).unwrap();
    let of = |kid: &str| signed(Algorithm::ES256, Some(kid), &claims(&json!({})));
    let set = |kid: &str| {
        let mut ec = serde_json::to_value(public_jwk(Algorithm::ES256)).unwrap();
        ec["kid"] = kid.into();
        json!({ "keys": [ec] }).to_string()
    };
    assert!(jwt.verify(&of("e1")).is_err());
    assert!(jwt.has_missed() && !jwt.has_missed(), "it is told once");
    jwt.replace_set(set("e1").as_bytes()).unwrap();
    assert!(jwt.verify(&of("e1")).is_ok());
    jwt.replace_set(set("e2").as_bytes()).unwrap();
    assert!(jwt.verify(&of("e1")).is_err() && jwt.verify(&of("e2")).is_ok());
    assert!(jwt.has_missed());
    let many: Vec<Value> = (0..=KEYS_MAX)
        .map(|_| serde_json::from_str::<Value>(&set("e1")).unwrap()["keys"][0].clone())
        .collect();
    for wrong in ["", "{}", "[]", "{\"keys\":[]}", &json!({ "keys": many }).to_string()] {
        assert!(jwt.replace_set(wrong.as_bytes()).is_err(), "{wrong}");
        assert!(jwt.verify(&of("e2")).is_ok(), "the set before stays");
    }
    // What comes from a file is not in the set, and stays whatever the set is.
    assert!(jwt.verify(&signed(Algorithm::HS256, None, &claims(&json!({})))).is_ok());
    assert!(!jwt.has_missed());
}

proptest! {
    #[test]
    fn what_anybody_can_write_is_refused(
        head in "[ -~]{0,40}",
        body in "[ -~]{0,60}",
        tail in "[A-Za-z0-9_-]{0,90}",
    ) {
        let jwt = jwt(&[(JwtAlgorithm::Es256, EC_PUBLIC), (JwtAlgorithm::Hs256, SECRET)]);
        let plain = format!("{head}.{body}.{tail}");
        prop_assert!(jwt.verify(&plain).is_err());
        let header = json!({ "alg": head, "kid": body }).to_string();
        let token = format!("{}.{}.{tail}", BASE64.encode(header), BASE64.encode(&body));
        prop_assert!(jwt.verify(&token).is_err());
    }

    #[test]
    fn a_changed_letter_is_noticed(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_-]") {
        let jwt = jwt(&[(JwtAlgorithm::Hs256, SECRET)]);
        let token = signed(Algorithm::HS256, None, &claims(&json!({})));
        // The last letter has bits that mean nothing.
        let at = at.index(token.len() - 1);
        prop_assume!(token[at..=at] != letter && &token[at..=at] != ".");
        let changed = format!("{}{letter}{}", &token[..at], &token[at + 1..]);
        prop_assert!(jwt.verify(&changed).is_err());
    }
}
