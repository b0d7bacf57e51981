//! Which keys sound secret.

/// Words that make a key secret wherever they stand in it.
const ANYWHERE: [&[u8]; 16] = [
    b"password",
    b"passwd",
    b"passphrase",
    b"passcode",
    b"secret",
    b"credential",
    b"apikey",
    b"api_key",
    b"access_key",
    b"accesskey",
    b"private_key",
    b"privatekey",
    b"encryption_key",
    b"signing_key",
    b"account_key",
    b"rediscli_auth",
];
/// Words that make a key secret as a whole part of it: `tokenizer` and `compass` are harmless.
const AS_PART: [&[u8]; 3] = [b"token", b"pass", b"pwd"];
/// Keys of these ends say where the secret is, not what it is.
const HARMLESS_ENDS: [&[u8]; 5] = [b"_file", b"_path", b"_dir", b"_name", b"_type"];
/// The working directory.
const HARMLESS: [&[u8]; 2] = [b"pwd", b"oldpwd"];

/// The words in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    extra: Vec<Vec<u8>>,
}

impl Keys {
    /// The longest key that is looked at; of a longer one the end counts.
    pub(super) const LONGEST: usize = 64;

    pub(super) fn new(extra: &[String]) -> Self {
        let extra = extra.iter().map(|word| word.bytes().map(normal).collect());
        Self { extra: extra.filter(|word: &Vec<u8>| !word.is_empty()).collect() }
    }

    /// True when the value of this key should not be seen.
    pub(super) fn is_secret(&self, key: &[u8]) -> bool {
        let key = &key[key.len().saturating_sub(Self::LONGEST)..];
        let mut buffer = [0; Self::LONGEST];
        for (to, from) in buffer.iter_mut().zip(key) {
            *to = normal(*from);
        }
        let key = buffer[..key.len()].trim_ascii_start();
        let contains = |word: &[u8]| memchr::memmem::find(key, word).is_some();
        if self.extra.iter().any(|word| contains(word)) {
            return true;
        }
        if key.len() < 4 || HARMLESS.contains(&key) {
            return false;
        }
        let sounds = AS_PART.iter().any(|word| has_part(key, word))
            || ANYWHERE.iter().any(|word| contains(word));
        sounds && !HARMLESS_ENDS.iter().any(|end| key.ends_with(end))
    }
}

/// Keys are compared in lower case, with one separator.
fn normal(byte: u8) -> u8 {
    match byte {
        b'-' | b'.' => b'_',
        _ => byte.to_ascii_lowercase(),
    }
}

/// True when the word stands in the key and no letter follows; before it may be any, as in
/// `accessToken` and `PGPASS`, but for `pass`, which ends words.
fn has_part(key: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find_iter(key, word).any(|at| {
        let after = key.get(at + word.len());
        let before = at.checked_sub(1).and_then(|before| key.get(before));
        let begins = before.is_none_or(|b| !b.is_ascii_alphabetic()) || word == b"token";
        begins && after.is_none_or(|b| !b.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn keys() {
        let keys = Keys::new(&["Pin-Code".to_owned(), String::new()]);
        for key in [
            "password",
            "PGPASSWORD",
            "db-password",
            "MYSQL_PWD",
            "DB_PASS",
            "pass",
            "--pass",
            "token",
            "accessToken",
            "X-Auth-Token",
            "GITHUB_TOKEN",
            "TOKEN_1",
            "api.key",
            "apiKey",
            "AWS_SECRET_ACCESS_KEY",
            "client_secret",
            "privateKey",
            "REDISCLI_AUTH",
            "PIN_CODE",
            "pin-code",
            "my_pin-code_2",
        ] {
            assert!(keys.is_secret(key.as_bytes()), "{key}");
        }
        for key in [
            "",
            "PWD",
            "OLDPWD",
            "tokenizer",
            "max_tokens",
            "compass",
            "passive",
            "bypass",
            "password_file",
            "TOKEN_PATH",
            "--secret-name",
            "key",
            "keyboard",
            "name",
            "res",
            "user",
            "pin",
            "secretary_type",
        ] {
            assert!(!keys.is_secret(key.as_bytes()), "{key}");
        }
        let long = format!("{}password", "x".repeat(200));
        assert!(keys.is_secret(long.as_bytes()));
    }
}
