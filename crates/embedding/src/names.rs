//! Where meaning is in words: what of a token the model is given, and what decides without it.
//!
//! A model of meaning finds opposites near (`start` and `stop`, `read` and `write`), and programs
//! of one purpose too (`curl` and `wget`). Accepting on its word is sound only where names of one
//! meaning stand for one behaviour, and that is the names of data files: same place, same ending,
//! other words. All that can be run, that configures or that opens doors is told apart by its name.

use hanabi_profile::NodeKind;

/// Endings of files that hold data. What is not listed is compared by its letters alone: whoever
/// breaks in chooses names, so the list is of what may be taken lightly.
const DATA: [&str; 62] = [
    "7z", "arrow", "avi", "avro", "bak", "bmp", "bz2", "csv", "dat", "data", "db", "doc", "docx",
    "dump", "feather", "flac", "gif", "gz", "htm", "html", "ico", "idx", "jpeg", "jpg", "json",
    "jsonl", "log", "lz4", "md", "mkv", "mov", "mp3", "mp4", "ndjson", "npy", "npz", "odt", "ogg",
    "orc", "parquet", "part", "pdf", "png", "ppt", "pptx", "rst", "rtf", "sqlite", "svg", "tar",
    "tgz", "tiff", "tmp", "tsv", "txt", "wav", "webm", "webp", "xls", "xlsx", "xz", "zst",
];

/// Words of names that are never taken for another's variation: what they hold opens other doors.
const GUARDED: [&str; 18] = [
    "auth",
    "backdoor",
    "cert",
    "cred",
    "credential",
    "htpasswd",
    "key",
    "login",
    "passwd",
    "password",
    "private",
    "root",
    "secret",
    "shadow",
    "ssh",
    "sudo",
    "token",
    "wallet",
];

/// A token as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// What must be the same: the folder, for arguments that are paths, and the ending.
    pub(crate) frame: (&'a str, &'a str),
    /// The words, in lower case, one blank between them.
    pub(crate) words: String,
}

/// Letters that a word has at least to be one: `v2` and `db1` mean nothing to a model.
const WORD: usize = 3;
/// Longer names are judged by their letters; it also bounds the work of taking them apart.
const BYTES_MAX: usize = 160;

/// What the model may compare of a token; `None` where its letters decide.
pub(crate) fn named(kind: NodeKind, token: &str) -> Option<Named<'_>> {
    if token.len() > BYTES_MAX {
        return None;
    }
    match kind {
        NodeKind::File => data_file("", token),
        NodeKind::Argument => {
            let script_or_flag = token.starts_with(['-', '<']) || token.starts_with("script:");
            let (folder, name) = token.rsplit_once('/').unwrap_or(("", token));
            (!script_or_flag).then(|| data_file(folder, name)).flatten()
        }
        // The thresholds of these are never reached by meaning: it only finds the sibling that an
        // alert names as the nearest.
        NodeKind::Program | NodeKind::Parent => {
            Some(Named { frame: ("", ""), words: words(token)? })
        }
        NodeKind::Root
        | NodeKind::Operation
        | NodeKind::Directory
        | NodeKind::Direction
        | NodeKind::Class
        | NodeKind::Port
        | NodeKind::Peer
        | NodeKind::Unix
        | NodeKind::Socket => None,
    }
}

fn data_file<'a>(folder: &'a str, name: &'a str) -> Option<Named<'a>> {
    let (stem, ending) = name.split_once('.')?;
    let last = ending.rsplit('.').next().unwrap_or_default();
    let typed = |part: &str| part.starts_with('<') && part.ends_with('>');
    // `shell.php.txt` and `orders.csv.gz`: every part counts.
    let data = ending.split('.').all(|part| typed(part) || is_data(part)) && is_data(last);
    let words = words(stem)?;
    let guarded = words.split(' ').any(|word| GUARDED.contains(&word.trim_end_matches('s')));
    (data && !guarded).then_some(Named { frame: (folder, ending), words })
}

fn is_data(ending: &str) -> bool {
    DATA.binary_search(&ending).is_ok()
}

/// The words of a name: runs of letters, cut where a capital follows a small letter. Typed parts
/// such as `<num>` say what varies, not what is meant. `None` without a word.
fn words(name: &str) -> Option<String> {
    let mut words = String::with_capacity(name.len());
    let mut longest = 0;
    let mut length = 0;
    let mut before = ' ';
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '<'
            && let Some(end) = rest.find('>').filter(|end| *end < 24)
        {
            rest = &rest[end + 1..];
            before = ' ';
        } else if c.is_alphabetic() {
            let begins = !before.is_alphabetic() || (before.is_lowercase() && c.is_uppercase());
            if begins {
                length = 0;
                if !words.is_empty() {
                    words.push(' ');
                }
            }
            length += 1;
            longest = longest.max(length);
            words.extend(c.to_lowercase());
            before = c;
        } else {
            before = ' ';
        }
    }
    (longest >= WORD).then_some(words)
}

#[cfg(test)]
mod tests {
    use hanabi_profile::NodeKind;

    use super::{DATA, GUARDED, named};

    #[test]
    fn lists_can_be_searched() {
        assert!(DATA.is_sorted() && GUARDED.is_sorted());
    }

    #[test]
    fn data_files_have_words() {
        for (kind, token, frame, words) in [
            (NodeKind::File, "orders.csv", ("", "csv"), "orders"),
            (NodeKind::File, "dailyOrders-<date>_v2.csv.gz", ("", "csv.gz"), "daily orders v"),
            (NodeKind::File, "orders.<num>.json", ("", "<num>.json"), "orders"),
            (NodeKind::Argument, "/work/in/orders-<date>.csv", ("/work/in", "csv"), "orders"),
            (NodeKind::Argument, "orders.csv", ("", "csv"), "orders"),
            (NodeKind::Program, "python<num>", ("", ""), "python"),
        ] {
            let named = named(kind, token).unwrap();
            assert_eq!((named.frame, named.words.as_str()), (frame, words), "{token}");
        }
    }

    #[test]
    fn elsewhere_letters_decide() {
        for (kind, token) in [
            (NodeKind::Port, "8080"),
            (NodeKind::Peer, "10.0.0.1"),
            (NodeKind::Directory, "orders"),
            (NodeKind::Unix, "orders.dat"),
            (NodeKind::File, "orders"),
            (NodeKind::File, ".bashrc"),
            (NodeKind::File, "<num>.csv"),
            (NodeKind::File, "db<num>.csv"),
            (NodeKind::File, "cart.php"),
            (NodeKind::File, "cart.php.txt"),
            (NodeKind::File, "cart.txt.sh"),
            (NodeKind::File, "server.key"),
            (NodeKind::File, "user_passwords.csv"),
            (NodeKind::File, "api-tokens.json"),
            (NodeKind::Argument, "--out=orders.csv"),
            (NodeKind::Argument, "script:cat orders.csv"),
            (NodeKind::Argument, "<url:http://orders.csv>"),
            (NodeKind::Argument, "restart"),
        ] {
            assert_eq!(named(kind, token), None, "{token}");
        }
        assert_eq!(named(NodeKind::File, &format!("{}.csv", "a".repeat(200))), None);
    }
}
