//! Masks secrets in command lines, arguments and whatever else is shown, stored or generalised.
//!
//! One pass, no patterns to compile: a handful of bytes (`=`, `:`, `-`, and the first letters of
//! well-known tokens) can begin or end something secret, and only at those is anything looked at.
//! A text without secrets is returned as it is.
//!
//! What is masked: the value of a key that sounds secret (`--password=x`, `--token x`,
//! `DB_PASSWORD=x`, `"apiKey": "x"`, `X-Auth-Token: x`), the attached `-p` of database clients,
//! `Authorization` and cookies, the password in a URL, JSON web tokens, the keys of AWS, GitHub,
//! GitLab and Slack, and private keys.

mod keys;
mod scan;

use std::borrow::Cow;

use self::keys::Keys;
use self::scan::Text;

/// What is written in place of a secret.
pub const MASK: &str = "***";

/// Masks with the built-in words; see [`Redactor`] for more.
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    Redactor::default().mask(text)
}

/// Masks secrets, with words of one's own.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    keys: Keys,
}

impl Redactor {
    /// `extra_keys` are words that make a key secret wherever they stand in it, in any case; empty
    /// ones are ignored.
    pub fn new(extra_keys: &[String]) -> Self {
        Self { keys: Keys::new(extra_keys) }
    }

    /// The text with `***` for every secret; borrowed when there is none.
    ///
    /// Masking twice is masking once. The result is at most three times as long.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.mask_arguments("", text)
    }

    /// [`Redactor::mask`] for arguments without the name of the program, which tells what a `-p`
    /// means.
    pub fn mask_arguments<'a>(&self, program: &str, text: &'a str) -> Cow<'a, str> {
        let Some(mut masked) = self.mask_once(program, text) else {
            return Cow::Borrowed(text);
        };
        // A long secret that is gone (a private key with its blanks) may have stood between a key
        // and its value.
        for _ in 0..Self::MAX_PASSES {
            match self.mask_once(program, &masked) {
                Some(further) => masked = further,
                None => break,
            }
        }
        Cow::Owned(masked)
    }

    /// Bounds the cost; one or two are nearly always enough.
    const MAX_PASSES: usize = 6;

    fn mask_once(&self, program: &str, text: &str) -> Option<String> {
        let scan = Text::new(text, program, &self.keys);
        let (mut masked, mut copied, mut at) = (String::new(), 0, 0);
        while let Some(next) = scan.next_candidate(at) {
            let Some((start, end)) = scan.secret(next, copied) else {
                at = next + 1;
                continue;
            };
            // What begins with the mask was masked before.
            if start < end && !text[start..end].starts_with(MASK) {
                masked.push_str(&text[copied..start]);
                masked.push_str(MASK);
                copied = end;
            }
            at = end.max(next + 1);
        }
        if copied == 0 {
            return None;
        }
        masked.push_str(&text[copied..]);
        Some(masked)
    }
}

#[cfg(test)]
mod tests;
