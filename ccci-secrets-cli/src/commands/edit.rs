//! `ccsec edit`.

use std::path::{Path, PathBuf};

use ccci_secrets::atomic::{self, NewFileMode};
use ccci_secrets::config::Policy;
use ccci_secrets::document::{CanonicalLayout, Format};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{Older, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

use crate::arguments::{FormatArgs, UnwrapArgs};
use crate::commands::encrypt;
use crate::content::Fingerprint;
use crate::context::Context;
use crate::error::{CommandError, InFile as _};
use crate::exit::{self, Exit, Family};
use crate::input::{self, Input};
use crate::interrupts::{Heed, Interrupts};
use crate::output;
use crate::policy::{self, PolicyArgs};
use crate::sealed::{self, MacCheck, Opened};
use crate::shell::quoted;
use crate::spawn::editor::Editor;
use crate::workspace::{self, Workspace};

/// Edit an encrypted file in your editor, or make a new one
///
/// The editor is $SOPS_EDITOR, else $EDITOR, else vim, nano or vi. It gets the plaintext in a private directory in memory,
/// which is removed afterwards. Values that you do not change keep their ciphertext, so that a diff shows what changed.
/// A new file starts empty and follows .sops.yaml. Text that cannot be sealed stays there when the terminal goes, and the
/// next edit of the file says where.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "ccsec edit [OPTIONS] FILE",
    after_long_help = exit::table(Family::Sops)
)]
pub(crate) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    unwrap: UnwrapArgs,
    #[arg(short, long, hide = true)]
    show_master_keys: bool,
}

pub(crate) fn run(context: &mut Context, args: Args) -> Result<Exit, CommandError> {
    args.unwrap.check(context)?;
    if args.show_master_keys {
        return Err(CommandError::not_built("--show-master-keys"));
    }
    let path = input::required_file(args.files)?;
    let format = Input::File(path.clone()).format(args.format.input_type, None);
    args.format.require_same(format)?;
    let (mut subject, plain) = if input::is_missing(&path) {
        let resolved = args.policy.resolve(context, &path)?;
        let layout = resolved.indents.layout(format)?;
        let subject = Subject::new_file(&path, format, resolved.policy, layout)?;
        (subject, Secret::with_capacity(0))
    } else {
        policy::warn_about_config(context);
        Subject::existing(&path, format, context.keyring(), args.unwrap.mac())?
    };
    session(context, &mut subject, plain)?;
    Ok(Exit::Done)
}

/// Opens the editor until what it leaves can be sealed, and writes that.
fn session(context: &Context, subject: &mut Subject, plain: Secret) -> Result<(), CommandError> {
    let editor = Editor::find(&context.environment)?;
    // The workspace goes before the listener does: a signal in between still finds it removed.
    let interrupts = Interrupts::listen()?;
    warn_about_kept_texts(context, subject);
    let workspace = Workspace::create(&context.environment, &subject.path, &plain)?;
    // EXPOSE: to a digest that is only compared. The text itself would stay in memory until the new one is sealed.
    let before = Fingerprint::of(plain.expose());
    drop(plain);
    let heed = if context.stdin_is_terminal {
        Heed::NotTheTerminals
    } else {
        Heed::All
    };
    let mut is_unsealed = false;
    loop {
        if let Err(error) = editor.run(workspace.file(), &interrupts, heed) {
            return Err(match is_unsealed && interrupts.cut_off() {
                true => workspace.keep_for_later(error),
                false => error,
            });
        }
        let text = workspace.read()?;
        // EXPOSE: to a digest that is only compared.
        if Fingerprint::of(text.expose()) == before {
            return Err(unchanged());
        }
        let sealed = subject.seal(text);
        interrupts.check()?;
        let Err(error) = sealed.and_then(|sealed| subject.write(&sealed)) else {
            return Ok(());
        };
        // No editor helps where the text has nowhere to go.
        if !context.stdin_is_terminal || subject.is_outdated() {
            return Err(workspace.keep(error));
        }
        output::error(&error);
        is_unsealed = true;
        match wants_to_go_on(&interrupts) {
            Ok(true) => {}
            Ok(false) => return Err(workspace.keep_for_later(given_up())),
            Err(error) if interrupts.cut_off() => return Err(workspace.keep_for_later(error)),
            Err(error) => return Err(error),
        }
    }
}

fn warn_about_kept_texts(context: &Context, subject: &Subject) {
    for kept in workspace::kept(&context.environment, &subject.path) {
        let doubt = if kept.is_doubtful {
            ", or perhaps of another file of that name,"
        } else {
            ""
        };
        output::warning(format_args!(
            "an edit of {}{doubt} was cut off, and its text is kept in {}, as plaintext: remove it with `rm -r {}` when you have it back",
            subject.name,
            kept.text.display(),
            quoted(&kept.directory)
        ));
    }
}

fn unchanged() -> CommandError {
    CommandError::new(ErrorCode::FileUnchanged, "File has not changed, exiting.").verbatim()
}

fn given_up() -> CommandError {
    CommandError::new(ErrorCode::Interrupted, "the edit was given up")
}

/// Waits for a line. The end of the input means no.
fn wants_to_go_on(interrupts: &Interrupts) -> Result<bool, CommandError> {
    output::message(
        "Press Enter to return to the editor, Ctrl+D to stop and keep the text, or Ctrl+C to throw the changes away.\n",
    );
    let answer = interrupts.wait_for(Heed::All, || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)
    })?;
    Ok(answer.is_ok_and(|read| read > 0))
}

/// What is edited.
struct Subject {
    name: String,
    path: PathBuf,
    format: Format,
    state: State,
}

enum State {
    Existing {
        /// The file as it was read. Its text, beside that of the new version, would take as much room again.
        before: Fingerprint,
        /// Used up by an attempt to seal.
        older: Option<Box<Older>>,
        keyring: Keyring,
        mac: MacCheck,
    },
    New(Policy, CanonicalLayout),
}

impl Subject {
    /// A file and its plaintext.
    fn existing(
        path: &Path,
        format: Format,
        keyring: Keyring,
        mac: MacCheck,
    ) -> Result<(Self, Secret), CommandError> {
        let name = path.display().to_string();
        let text = input::read_file(path)?;
        // EXPOSE: a sealed text, to a digest.
        let before = Fingerprint::of(text.expose());
        let opened = open(&name, format, text, &keyring, mac)?;
        let (plain, notes, older) = opened.into_editing().in_file(&name)?;
        sealed::tell(&name, &notes);
        let subject = Self {
            name,
            path: path.to_owned(),
            format,
            state: State::Existing {
                before,
                older: Some(Box::new(older)),
                keyring,
                mac,
            },
        };
        Ok((subject, plain))
    }

    /// Whatever would stop the file from being made is found before the editor opens.
    fn new_file(
        path: &Path,
        format: Format,
        policy: Policy,
        layout: CanonicalLayout,
    ) -> Result<Self, CommandError> {
        let name = path.display().to_string();
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
            return Err(CommandError::new(
                ErrorCode::FileUnwritable,
                format!(
                    "cannot make {name}: there is no directory {}",
                    directory.display()
                ),
            ));
        }
        Ok(Self {
            name,
            path: path.to_owned(),
            format,
            state: State::New(policy, layout),
        })
    }

    /// Seals the text that the editor left. May be called again when it failed.
    fn seal(&mut self, text: Secret) -> Result<SealedFile, CommandError> {
        match &mut self.state {
            State::New(policy, layout) => {
                encrypt::seal(&self.name, (self.format, *layout), text, policy)
            }
            State::Existing {
                before,
                older,
                keyring,
                mac,
            } => {
                let older = match older.take() {
                    Some(older) => *older,
                    None => {
                        let text = input::read_file(&self.path)?;
                        // EXPOSE: a sealed text, to a digest.
                        if Fingerprint::of(text.expose()) != *before {
                            return Err(changed_meanwhile(&self.name));
                        }
                        let opened = open(&self.name, self.format, text, keyring, *mac)?;
                        opened.into_editing().in_file(&self.name)?.2
                    }
                };
                let edited = older.edit(text).in_file(&self.name).map_err(|error| {
                    error.exit_if(ErrorCode::DocumentInvalid, Exit::SopsCannotRead)
                })?;
                edited.seal(Context::now()).in_file(&self.name)
            }
        }
    }

    /// Whether somebody else has written there since it was read.
    fn is_outdated(&self) -> bool {
        match &self.state {
            State::New(..) => !input::is_missing(&self.path),
            State::Existing { before, .. } => {
                Fingerprint::of_file(&self.path).is_ok_and(|now| now != *before)
            }
        }
    }

    /// Writes the sealed file, unless somebody else wrote there in the meantime.
    fn write(&self, sealed: &SealedFile) -> Result<(), CommandError> {
        match &self.state {
            State::New(..) => atomic::create_new(&self.path, sealed.text(), NewFileMode::Umask)
                .map_err(CommandError::cannot_write),
            State::Existing { before, .. } => {
                let now = Fingerprint::of_file(&self.path)
                    .map_err(|error| input::unreadable(&self.path, &error))?;
                if now != *before {
                    return Err(changed_meanwhile(&self.name));
                }
                output::file(&self.path, sealed.text(), NewFileMode::Umask)
            }
        }
    }
}

fn changed_meanwhile(name: &str) -> CommandError {
    let text = format!("{name} was changed by somebody else while it was edited");
    CommandError::new(ErrorCode::FileUnwritable, text)
}

fn open(
    name: &str,
    format: Format,
    text: Secret,
    keyring: &Keyring,
    mac: MacCheck,
) -> Result<Opened, CommandError> {
    let sealed = sealed::parse(name, format, text)?;
    Opened::open(name, sealed, keyring, mac)
}
