//! What a path's place and ending say about the file.

/// Endings of files that programs load as parts of themselves.
const PARTS: [&str; 17] = [
    "so", "jar", "class", "py", "pyc", "pyd", "js", "mjs", "cjs", "node", "rb", "pl", "pm", "php",
    "wasm", "dll", "lua",
];
/// Endings of scripts, pages and templates, which are written by people and served or run.
const PAGES: [&str; 22] = [
    "html", "htm", "css", "ts", "tpl", "tmpl", "jinja", "j2", "twig", "ejs", "erb", "hbs", "phtml",
    "jsp", "jspx", "war", "asp", "aspx", "cgi", "sh", "bash", "service",
];
/// Endings of configuration.
const CONFIGURATION: [&str; 9] =
    ["conf", "cnf", "cfg", "ini", "toml", "yaml", "yml", "properties", "rules"];
/// Where configuration is, whatever it is called.
const CONFIGURED: [&str; 2] = ["/etc/", "/usr/local/etc/"];
/// Where anybody can put a file: nothing there is part of an image.
const WRITABLE: [&str; 6] = ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/home/", "/root/"];
/// Words in the paths of what comes and goes by itself.
const PASSING: [&str; 12] = [
    "/log/", "/logs/", ".log", "/tmp/", "/cache/", "/run/", ".pid", ".lock", ".lck", ".sock",
    ".tmp", "/spool/",
];

/// True for paths below the directories in which anybody can make files.
pub(crate) fn is_temporary(path: &str) -> bool {
    ["/tmp/", "/var/tmp/", "/dev/shm/"].iter().any(|directory| path.starts_with(directory))
}

/// A file that programs load as a part of themselves, where only an image puts files. Endings count
/// anywhere after the first dot: `libssl.so.3`.
pub(crate) fn is_part(path: &str) -> bool {
    let mut words = name(path).split('.').skip(1);
    !WRITABLE.iter().any(|w| path.starts_with(w)) && words.any(|word| PARTS.contains(&word))
}

/// What is run or served: program text, pages. Not configuration, which services write themselves
/// when they are told to (`ALTER SYSTEM`, `CONFIG REWRITE`).
pub(crate) fn is_text(path: &str) -> bool {
    let last = name(path).rsplit_once('.').map_or("", |(_, ending)| ending);
    is_part(path) || (!is_temporary(path) && (PARTS.contains(&last) || PAGES.contains(&last)))
}

/// Configuration, by its place or ending.
pub(crate) fn is_configuration(path: &str) -> bool {
    let last = name(path).rsplit_once('.').map_or("", |(_, ending)| ending);
    is_system_configuration(path) || (!is_temporary(path) && CONFIGURATION.contains(&last))
}

/// Configuration where the system keeps it, not a program's own beside its data.
pub(crate) fn is_system_configuration(path: &str) -> bool {
    CONFIGURED.iter().any(|directory| path.starts_with(directory))
}

/// Logs, caches, locks: their end is part of their life.
pub(crate) fn is_passing(path: &str) -> bool {
    PASSING.iter().any(|word| path.contains(word))
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{is_configuration, is_part, is_passing, is_temporary, is_text};

    #[test]
    fn paths_say_what_a_file_is() {
        for (path, part, text, configuration, passing) in [
            ("/srv/app/lib/money.jar", true, true, false, false),
            ("/app/routes/orders.py", true, true, false, false),
            ("/opt/x/libssl.so.<num>", true, true, false, false),
            ("/srv/www/index.html", false, true, false, false),
            ("/tmp/money.jar", false, false, false, true),
            ("/home/a/x.py", false, true, false, false),
            ("/etc/passwd", false, false, true, false),
            ("/opt/db/server.cnf", false, false, true, false),
            ("/srv/data/orders.csv", false, false, false, false),
            ("/var/log/app/app.log", false, false, false, true),
            ("/var/lib/mysql/shop/orders.ibd", false, false, false, false),
            ("/py", false, false, false, false),
        ] {
            let found = (is_part(path), is_text(path), is_configuration(path), is_passing(path));
            assert_eq!(found, (part, text, configuration, passing), "{path}");
        }
        assert!(is_temporary("/dev/shm/x") && !is_temporary("/srv/tmp"));
    }
}
