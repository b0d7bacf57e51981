//! Names of programs and calls in a tree.

use hanabi_event::Category;

/// Separates name, executable and user in a program node's name; no path or name contains it.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// What tells one program from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProgramKey<'a> {
    /// `proc.name`.
    pub name: &'a str,
    /// `proc.exepath`.
    pub executable: &'a str,
    /// The user's id as text; the same program as another user is another program.
    pub user: &'a str,
    /// Names are generalised; see [`crate::Limits::lexical`].
    pub lexical: bool,
}

pub(crate) fn branch_index(category: Category) -> usize {
    match category {
        Category::Process | Category::Unknown => 0,
        Category::Network => 1,
        Category::File => 2,
    }
}

/// Longer names of calls are no calls.
const CALL: usize = 40;

/// The name of a call's node, in a buffer of its own: it is asked for with every event.
pub(crate) struct OperationName {
    bytes: [u8; CALL + 2],
    length: usize,
}

impl OperationName {
    pub(crate) fn new(category: Category, call: &str) -> Self {
        let call = call.get(..call.len().min(CALL)).unwrap_or_default().as_bytes();
        let mut bytes = [0; CALL + 2];
        bytes[0] = match category {
            Category::Process | Category::Unknown => b'p',
            Category::Network => b'n',
            Category::File => b'f',
        };
        bytes[1] = b':';
        bytes[2..2 + call.len()].copy_from_slice(call);
        Self { bytes, length: 2 + call.len() }
    }

    pub(crate) fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

pub(crate) fn program_name(key: &ProgramKey<'_>, out: &mut String) {
    out.clear();
    if key.lexical {
        crate::token::generalise(key.name, out);
        out.push(SEPARATOR);
        executable_token(key.executable, out);
    } else {
        out.push_str(key.name);
        out.push(SEPARATOR);
        out.push_str(&crate::token::word(key.executable, false));
    }
    out.push(SEPARATOR);
    out.push_str(key.user);
}

/// True for paths where packages install programs.
pub fn is_installed(executable: &str) -> bool {
    const INSTALLED: [&str; 5] = ["/usr/", "/bin/", "/sbin/", "/lib", "/opt/"];
    INSTALLED.iter().any(|prefix| executable.starts_with(prefix))
}

/// Where packages install, names are kept to the letter, so that a look-alike stands out;
/// elsewhere random parts are generalised.
pub(crate) fn executable_token(executable: &str, out: &mut String) {
    if is_installed(executable) && executable.len() < 200 {
        out.push_str(executable);
    } else if executable.starts_with('/') {
        out.push_str(&crate::path::generalised(executable));
    } else {
        crate::token::generalise(executable, out);
    }
}

#[cfg(test)]
mod tests {
    use hanabi_event::Category;

    use super::OperationName;

    #[test]
    fn calls_have_names_by_branch() {
        assert_eq!(OperationName::new(Category::File, "openat").as_str(), "f:openat");
        assert_eq!(OperationName::new(Category::Network, &"x".repeat(99)).as_str().len(), 42);
        assert_eq!(OperationName::new(Category::Unknown, "").as_str(), "p:");
    }
}
