//! Commands in documents are commands that this program takes.

use std::path::Path;

use clap::Parser as _;

use super::Cli;

/// The words of a command as a shell would make them, up to what ends it: a pipe, a redirection,
/// another command, a comment. What a shell puts in, as in `"$TOKEN"`, stays as it is.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut depth) = (None::<String>, None, 0_u32);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(end)) if c == end => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('|' | '>' | '<' | ';' | '&', None) if depth == 0 => break,
            ('#', None) if word.is_none() => break,
            (' ', None) if depth == 0 => words.extend(word.take()),
            (c, _) => {
                depth = match c {
                    '(' => depth + 1,
                    ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                word.get_or_insert_default().push(c);
            }
        }
    }
    words.extend(word);
    words
}

/// Every command line of a document that calls the program, within code.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    let mut in_fence = false;
    for line in joined.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
            continue;
        }
        let pieces: Vec<&str> =
            if in_fence { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        for piece in pieces {
            let piece = piece.trim_start().trim_start_matches("$ ");
            // Also within another command: `docker compose exec hanabi /usr/local/bin/hanabi …`.
            let start = piece.rfind("bin/hanabi ").map(|at| at + "bin/".len()).or_else(|| {
                ["hanabi ", "target/release/hanabi "].iter().find_map(|program| {
                    piece.starts_with(program).then(|| program.len() - "hanabi ".len())
                })
            });
            found.extend(start.map(|start| piece[start..].to_owned()));
        }
    }
    found
}

/// In running text a command may be a family (`hanabi alerts …`) or have a blank to fill in.
fn is_whole(words: &[String]) -> bool {
    words.len() > 1 && !words.iter().any(|word| word.contains(['…', '|', '{']))
}

#[test]
fn documents_show_commands_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut documents = vec![root.join("README.md"), root.join("README.zh.md")];
    for folder in ["docs", "docs/zh"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        documents.extend(entries.map(|entry| entry.unwrap().path()));
    }
    documents.retain(|path| path.extension().is_some_and(|end| end == "md"));
    let mut checked = 0;
    for path in documents {
        let text = std::fs::read_to_string(&path).unwrap();
        for command in commands(&text) {
            let words = words(&command);
            if !is_whole(&words) {
                continue;
            }
            checked += 1;
            if let Err(error) = Cli::try_parse_from(&words) {
                use clap::error::ErrorKind;
                // A command that is named and not shown lacks its arguments.
                let is_named = matches!(
                    error.kind(),
                    ErrorKind::MissingRequiredArgument
                        | ErrorKind::MissingSubcommand
                        | ErrorKind::DisplayHelp
                        | ErrorKind::DisplayVersion
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                );
                assert!(is_named, "{}: `{command}`: {error}", path.display());
            }
        }
    }
    assert!(checked > 50, "{checked} commands were found");
}

#[test]
fn words_are_those_of_a_shell() {
    let line = r#"hanabi token create falco --token "$(cat a b)" --role ingest > file # why"#;
    let wanted =
        ["hanabi", "token", "create", "falco", "--token", "$(cat a b)", "--role", "ingest"];
    assert_eq!(words(line), wanted);
    assert_eq!(
        words("hanabi run --set detect.matcher='a b' && x"),
        ["hanabi", "run", "--set", "detect.matcher=a b"]
    );
    assert_eq!(commands("see `hanabi run` and\n```sh\n$ hanabi config \\\n  show\n```\n").len(), 2);
}
