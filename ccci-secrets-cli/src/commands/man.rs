//! `ccsec man`: pages made from the same text as the help, so that neither can be older than the other.

use std::path::PathBuf;

use ccci_secrets::atomic::NewFileMode;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli;
use crate::error::CommandError;
use crate::exit::{self, Exit, Family};
use crate::output;

/// Print manual pages
///
/// The page of ccsec, or of the command that is named, for `man -l -`: `ccsec man activate | man -l -`. With --output-dir,
/// the pages of all commands become files, as a package installs them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = exit::table(Family::Native))]
pub(crate) struct Args {
    /// Write the pages of all commands into this directory, which has to exist
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    output_dir: Option<PathBuf>,
    /// The command: `activate`, `key show`
    command: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<Exit, CommandError> {
    let all = cli::whole();
    let Some(directory) = &args.output_dir else {
        let command = find(&all, &args.command)?;
        return output::data(&page(&all, command)).map(|()| Exit::Done);
    };
    for command in with_subcommands(&all) {
        let path = directory.join(format!("{}.{SECTION}", name(command)));
        output::file(&path, &page(&all, command), NewFileMode::Umask)?;
    }
    Ok(Exit::Done)
}

/// User commands.
const SECTION: &str = "1";
/// Stands at the foot of each page, where others have a date.
const VERSION: &str = concat!("ccsec ", env!("CARGO_PKG_VERSION"));

fn find<'a>(all: &'a clap::Command, words: &[String]) -> Result<&'a clap::Command, CommandError> {
    words.iter().try_fold(all, |command, word| {
        let found = command.get_subcommands().find(|it| it.get_name() == word);
        found.filter(|it| !it.is_hide_set()).ok_or_else(|| {
            CommandError::usage(format!("there is no command `ccsec {}`", words.join(" ")))
                .hint("`ccsec --help` lists the commands")
        })
    })
}

/// A command and all that are below it.
fn with_subcommands(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().filter(|it| !it.is_hide_set());
    std::iter::once(command)
        .chain(below.flat_map(with_subcommands))
        .collect()
}

/// `ccsec-key-show`
fn name(command: &clap::Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(all: &clap::Command, command: &clap::Command) -> Vec<u8> {
    let mut text = Vec::new();
    write_page(all, command, &mut text).expect("writing to memory does not fail");
    text
}

fn write_page(
    all: &clap::Command,
    command: &clap::Command,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let man = Man::new(command.clone()).section(SECTION);
    let mut title = Roff::new();
    title.control("TH", [name(command), SECTION, VERSION]);
    title.to_writer(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.get_subcommands().any(|it| !it.is_hide_set()) {
        man.render_subcommands_section(out)?;
    }
    let mut end = Roff::new();
    exit_status(&mut end, cli::family_of(&named(command)));
    files_or_first_page(&mut end, name(all), name(command));
    end.to_writer(out)
}

/// The words of a command behind `ccsec`.
fn named(command: &clap::Command) -> Vec<&str> {
    let words = command.get_bin_name().unwrap_or_default().split(' ');
    words.skip(1).collect()
}

fn exit_status(roff: &mut Roff, family: Family) {
    roff.control("SH", ["EXIT STATUS"]);
    for (number, meaning) in exit::rows(family) {
        roff.control("TP", []);
        roff.text([bold(number.to_string())]);
        roff.text([roman(meaning)]);
    }
}

/// Where things are on a machine that is set up as the packages do it.
const FILES: [(&str, &str); 5] = [
    (
        "/etc/ccsec/manifest.json",
        "The manifest, by convention: which secret becomes which file.",
    ),
    (
        "/run/secrets",
        "The active generation, if the manifest says so: a link into /run/secrets.d.",
    ),
    (
        "/run/ccsec",
        "Locks, and what the last run has written down; gone at the next boot, as the secrets are.",
    ),
    (
        "/var/lib/ccsec",
        "What outlives a boot: links that were placed outside of /run, and the key for digests of contents. A recovery key may \
         lie here until the machine opens files with its own key.",
    ),
    (
        "/etc/ssh/ssh_host_ed25519_key",
        "The key that opens the sops files of a machine which needs no other one.",
    ),
];

/// The first page has the files, the others lead to it.
fn files_or_first_page(roff: &mut Roff, first: &str, here: &str) {
    if here != first {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold(first), roman(format!("({SECTION})"))]);
        return;
    }
    roff.control("SH", ["FILES"]);
    for (path, text) in FILES {
        roff.control("TP", []);
        roff.text([bold(path)]);
        roff.text([roman(text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The end of the help is not taken over, since its table becomes a section.
    #[test]
    fn what_stands_at_the_end_of_the_help_is_the_table_of_exit_codes() {
        let all = cli::whole();
        for command in with_subcommands(&all) {
            let table = exit::table(cli::family_of(&named(command)));
            let end = command.get_after_long_help().map(ToString::to_string);
            assert!(end.is_none_or(|end| end == table), "{}", name(command));
            assert!(command.get_after_help().is_none(), "{}", name(command));
        }
    }

    #[test]
    fn every_command_has_a_page_with_its_flags() {
        let all = cli::whole();
        let commands = with_subcommands(&all);
        assert!(commands.iter().any(|it| name(it) == "ccsec-key-show"));
        for command in commands {
            let text = String::from_utf8(page(&all, command)).expect("text");
            let title = format!("{} \\- ", name(command).replace('-', "\\-"));
            assert!(text.contains(&title), "{title} in {text}");
            for flag in command.get_arguments().filter(|it| !it.is_hide_set()) {
                let long = flag.get_long().unwrap_or_default().replace('-', "\\-");
                assert!(text.contains(&long), "{long} in {text}");
            }
        }
    }

    #[test]
    fn a_command_is_found_by_its_words() {
        let all = cli::whole();
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = find(&all, &words("key show")).expect("it exists");
        assert_eq!(name(found), "ccsec-key-show");
        assert!(find(&all, &words("key shwo")).is_err());
    }
}
