//! Stable ids: SHA-256 cut to 64 bits, so that nobody can craft two subjects with one fingerprint
//! cheaply, and a replay gives the same ids on every machine.

use sha2::{Digest, Sha256};

/// 16 hex digits over the parts; the parts cannot run into each other.
pub fn id(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    format!("{:016x}", u64::from_be_bytes(first))
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(super::id(&["ab", "c"]), super::id(&["a", "bc"]));
        assert_eq!(super::id(&["ab"]).len(), 16);
    }
}
