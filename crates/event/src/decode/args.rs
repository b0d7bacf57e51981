//! What `evt.args` tells: the call's direction and result, and which part of it is private.

use memchr::memmem;

use crate::Direction;
use crate::syscalls::{Call, Payload, Start};

/// Enter or exit, for lines without `evt.dir`; `None` stands for a line without `evt.args`.
///
/// The end of a call begins with `res=`, or with `fd=` where the call opens one (the start of many
/// others begins with `fd=`, too). Rules that print no arguments run on the end of a call.
pub(super) fn direction(args: Option<&[u8]>, call: &Call) -> Direction {
    let Some(args) = args else {
        return Direction::Exit;
    };
    let exit = call.start == Start::Always
        || args.starts_with(b"res=")
        || (call.start == Start::Descriptor && args.starts_with(b"fd="))
        || (args.starts_with(b"ID=") && memmem::find(args, b" nativeID=").is_none());
    if exit { Direction::Exit } else { Direction::Enter }
}

/// What the call returned, from the arguments of its end.
pub(super) fn result(args: &[u8], call: &Call) -> Option<i64> {
    let number = match args.strip_prefix(b"res=") {
        Some(number) => number,
        None if call.start == Start::Descriptor => args.strip_prefix(b"fd=")?,
        None => return None,
    };
    leading_number(number)
}

/// The terminal, from what follows an execve's environment.
pub(super) fn tty(tail: &[u8]) -> Option<i64> {
    leading_number(tail.strip_prefix(b"tty=")?)
}

/// The number at the start of a text, up to anything that is not a digit.
fn leading_number(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits.iter().take_while(|b| b.is_ascii_digit()) {
        number = number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(if negative { -number } else { number })
}

/// Where the private part of the arguments begins, and where it ends; `None` when all may be kept.
///
/// Nothing in `evt.args` is escaped, so a payload can imitate what follows it. The cut errs on the
/// side of cutting too much.
pub(super) fn private_part(args: &[u8], call: &Call) -> Option<(usize, usize)> {
    match call.payload {
        Payload::None => None,
        Payload::Environment => environment(args),
        Payload::Data => data(args),
        Payload::Description => description(args),
    }
}

/// `env=` comes after `cgroups=`, and is followed by `tty=`; both may occur in a variable, too.
fn environment(args: &[u8]) -> Option<(usize, usize)> {
    let after = memmem::find(args, b" cgroups=").unwrap_or(0);
    let start = after + key(&args[after..], b"env=")?;
    let end = memmem::rfind(&args[start..], b" tty=").map_or(args.len(), |at| start + at);
    Some((start, end))
}

/// `data=` may be followed by the connection's `tuple=`.
fn data(args: &[u8]) -> Option<(usize, usize)> {
    let start = key(args, b"data=")?;
    let end = memmem::rfind(&args[start..], b" tuple=")
        .map(|at| start + at)
        .filter(|at| is_tuple(&args[at + b" tuple=".len()..]))
        .unwrap_or(args.len());
    Some((start, end))
}

/// A container's description is JSON; its environment is an array of strings.
fn description(args: &[u8]) -> Option<(usize, usize)> {
    const OPEN: &[u8] = b"\"env\":[";
    let start = memmem::find(args, OPEN)? + OPEN.len();
    let end = memmem::rfind(&args[start..], b"],\"full_id\":").map_or(args.len(), |at| start + at);
    (start < end).then_some((start, end))
}

/// `10.0.0.1:5->10.0.0.2:80`, `:::1->…`, `ffff88811edf5200->… /run/x.sock` or `NULL`.
fn is_tuple(text: &[u8]) -> bool {
    let address = text.iter().take_while(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'));
    text.starts_with(b"NULL") || text[address.count()..].starts_with(b"->")
}

/// Where `name=` begins as a word.
fn key(args: &[u8], name: &[u8]) -> Option<usize> {
    memmem::find_iter(args, name).find(|at| *at == 0 || args[at - 1] == b' ')
}
