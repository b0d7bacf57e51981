//! `hanabi completions SHELL`.

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::text::print;
use crate::cli::Cli;

/// Prints the script that a shell reads; data goes to standard output.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    print(&script(shell))
}

fn script(shell: Shell) -> String {
    // Into memory first: the generator panics where a pipe is closed.
    let mut bytes = Vec::new();
    generate(shell, &mut Cli::command(), "hanabi", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};
    use clap_complete::Shell;

    use super::script;
    use crate::cli::Cli;

    #[test]
    fn every_shell_knows_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            let cli = Cli::command();
            for command in cli.get_subcommands().filter(|command| !command.is_hide_set()) {
                let name = command.get_name();
                assert!(script.contains(name), "{shell} does not know `{name}`");
            }
        }
    }
}
