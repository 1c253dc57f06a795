//! `quorate completions`, `quorate man` and `quorate config`: made from the same description of the command line as the
//! help.

use std::io::Write;

use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments, ManArguments};
use crate::error::CommandError;
use crate::example_configuration;

/// Prints a script for a shell.
pub fn completions(arguments: &CompletionsArguments) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "quorate", &mut script);
    print(&script)
}

/// Prints a manual page, or writes all of them into a folder.
pub fn man(arguments: &ManArguments) -> Result<(), CommandError> {
    if let Some(directory) = &arguments.directory {
        let written = clap_mangen::generate_to(Arguments::command(), directory);
        return written.map_err(|source| CommandError::Pages { directory: directory.clone(), source });
    }
    let mut all = Arguments::command();
    all.build();
    let command = match &arguments.page {
        None => all,
        Some(page) => {
            let found = all.find_subcommand(page).cloned();
            found.ok_or_else(|| CommandError::NoPage { page: page.clone() })?
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&page)
}

/// Prints an example of the configuration file.
pub fn config() -> Result<(), CommandError> {
    print(example_configuration::text().as_bytes())
}

fn print(bytes: &[u8]) -> Result<(), CommandError> {
    let mut output = std::io::stdout();
    output.write_all(bytes)?;
    output.flush()?;
    Ok(())
}
