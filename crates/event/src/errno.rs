//! The names of Linux' error numbers, as Falco prints them in `evt.res`.

/// Sorted by number; the first name of a number is the one that is printed.
const ERRORS: [(&str, i64); 86] = [
    ("EPERM", 1),
    ("ENOENT", 2),
    ("ESRCH", 3),
    ("EINTR", 4),
    ("EIO", 5),
    ("ENXIO", 6),
    ("E2BIG", 7),
    ("ENOEXEC", 8),
    ("EBADF", 9),
    ("ECHILD", 10),
    ("EAGAIN", 11),
    ("EWOULDBLOCK", 11),
    ("ENOMEM", 12),
    ("EACCES", 13),
    ("EFAULT", 14),
    ("ENOTBLK", 15),
    ("EBUSY", 16),
    ("EEXIST", 17),
    ("EXDEV", 18),
    ("ENODEV", 19),
    ("ENOTDIR", 20),
    ("EISDIR", 21),
    ("EINVAL", 22),
    ("ENFILE", 23),
    ("EMFILE", 24),
    ("ENOTTY", 25),
    ("ETXTBSY", 26),
    ("EFBIG", 27),
    ("ENOSPC", 28),
    ("ESPIPE", 29),
    ("EROFS", 30),
    ("EMLINK", 31),
    ("EPIPE", 32),
    ("EDOM", 33),
    ("ERANGE", 34),
    ("EDEADLK", 35),
    ("ENAMETOOLONG", 36),
    ("ENOLCK", 37),
    ("ENOSYS", 38),
    ("ENOTEMPTY", 39),
    ("ELOOP", 40),
    ("ENOMSG", 42),
    ("EIDRM", 43),
    ("ENODATA", 61),
    ("ETIME", 62),
    ("ENOLINK", 67),
    ("EPROTO", 71),
    ("EBADMSG", 74),
    ("EOVERFLOW", 75),
    ("EUSERS", 87),
    ("ENOTSOCK", 88),
    ("EDESTADDRREQ", 89),
    ("EMSGSIZE", 90),
    ("EPROTOTYPE", 91),
    ("ENOPROTOOPT", 92),
    ("EPROTONOSUPPORT", 93),
    ("ESOCKTNOSUPPORT", 94),
    ("EOPNOTSUPP", 95),
    ("ENOTSUP", 95),
    ("EPFNOSUPPORT", 96),
    ("EAFNOSUPPORT", 97),
    ("EADDRINUSE", 98),
    ("EADDRNOTAVAIL", 99),
    ("ENETDOWN", 100),
    ("ENETUNREACH", 101),
    ("ENETRESET", 102),
    ("ECONNABORTED", 103),
    ("ECONNRESET", 104),
    ("ENOBUFS", 105),
    ("EISCONN", 106),
    ("ENOTCONN", 107),
    ("ESHUTDOWN", 108),
    ("ETIMEDOUT", 110),
    ("ECONNREFUSED", 111),
    ("EHOSTDOWN", 112),
    ("EHOSTUNREACH", 113),
    ("EALREADY", 114),
    ("EINPROGRESS", 115),
    ("ESTALE", 116),
    ("EDQUOT", 122),
    ("ECANCELED", 125),
    ("EKEYREJECTED", 129),
    ("ERFKILL", 132),
    ("ERESTARTSYS", 512),
    ("ERESTARTNOINTR", 513),
    ("ERESTARTNOHAND", 514),
];

/// What a call returned, from `evt.res`: 0 for `SUCCESS`, `-2` for `ENOENT`, a plain number as it
/// is; `None` for any other text.
pub(crate) fn parse_result(text: &[u8]) -> Option<i64> {
    if text == b"SUCCESS" {
        return Some(0);
    }
    if let Some((_, number)) = ERRORS.iter().find(|(name, _)| name.as_bytes() == text) {
        return Some(-number);
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The text of `evt.res` for a result: `SUCCESS`, the name of an error, or a number.
pub fn result_text(result: i64) -> String {
    match ERRORS.iter().find(|(_, number)| result == -number) {
        Some((name, _)) => (*name).to_owned(),
        None if result == 0 => "SUCCESS".to_owned(),
        None => result.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ERRORS, parse_result, result_text};

    #[test]
    fn names_and_numbers() {
        for (text, result) in [
            ("SUCCESS", Some(0)),
            ("ENOENT", Some(-2)),
            ("EWOULDBLOCK", Some(-11)),
            ("ECONNREFUSED", Some(-111)),
            ("-111", Some(-111)),
            ("3", Some(3)),
            ("enoent", None),
            ("", None),
        ] {
            assert_eq!(parse_result(text.as_bytes()), result, "{text}");
        }
    }

    #[test]
    fn text_reads_back() {
        for result in (-600..10).chain([i64::MIN, i64::MAX]) {
            assert_eq!(parse_result(result_text(result).as_bytes()), Some(result));
        }
        assert!(ERRORS.is_sorted_by_key(|(_, number)| *number));
    }
}
