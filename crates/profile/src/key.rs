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

pub(crate) fn operation_name(category: Category, call: &str) -> String {
    let mut name = String::with_capacity(call.len() + 2);
    name.push(match category {
        Category::Process | Category::Unknown => 'p',
        Category::Network => 'n',
        Category::File => 'f',
    });
    name.push(':');
    name.push_str(call.get(..call.len().min(40)).unwrap_or_default());
    name
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
