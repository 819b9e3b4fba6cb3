//! The editor of the user.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use ccci_secrets::env::Environment;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::words;

use crate::error::CommandError;
use crate::interrupts::{Heed, Interrupts};

/// A command that opens a file, whose path is put behind it.
#[derive(Debug)]
pub(crate) struct Editor {
    program: OsString,
    arguments: Vec<OsString>,
}

impl Editor {
    /// `$SOPS_EDITOR`, else `$EDITOR`, else the first of vim, nano and vi that is there. An empty variable counts as
    /// unset, and `$VISUAL` counts for nothing.
    pub(crate) fn find(environment: &Environment) -> Result<Self, CommandError> {
        let named = ["SOPS_EDITOR", "EDITOR"].into_iter().find_map(|name| {
            let line = environment.var(name).filter(|line| !line.trim().is_empty());
            line.map(|line| (name, line))
        });
        let mut editor = match named {
            Some((name, line)) => Self::parse(name, line)?,
            None => Self::installed(environment)?,
        };
        if is_vim(&editor.program, environment) {
            editor
                .arguments
                .extend(VIM_LEAVES_NO_COPIES.map(Into::into));
        }
        Ok(editor)
    }

    fn parse(variable: &str, line: &str) -> Result<Self, CommandError> {
        let failed = |text: String| CommandError::new(ErrorCode::EditorFailed, text);
        let mut words = words::split(line)
            .ok_or_else(|| failed(format!("${variable} has an open quote")))?
            .into_iter();
        let program = words
            .next()
            .ok_or_else(|| failed(format!("${variable} names no program")))?;
        Ok(Self {
            program: program.into(),
            arguments: words.map(Into::into).collect(),
        })
    }

    fn installed(environment: &Environment) -> Result<Self, CommandError> {
        let found = FALLBACKS
            .into_iter()
            .find(|name| on_path(name.as_ref(), environment).is_some());
        let program = found.ok_or_else(|| {
            CommandError::new(
                ErrorCode::EditorFailed,
                "no editor: neither $SOPS_EDITOR nor $EDITOR is set, and none of vim, nano and vi is on $PATH",
            )
        })?;
        Ok(Self {
            program: program.into(),
            arguments: Vec::new(),
        })
    }

    /// Opens a file and waits for the editor to end well.
    pub(crate) fn run(
        &self,
        file: &Path,
        interrupts: &Interrupts,
        heed: Heed,
    ) -> Result<(), CommandError> {
        let failed = |text: String| CommandError::new(ErrorCode::EditorFailed, text);
        let mut child = self.start(file).map_err(|error| {
            let program = self.program.display();
            failed(format!("Could not run editor: {program}: {error}"))
        })?;
        let process = rustix::process::Pid::from_child(&child);
        let waited = interrupts.wait_for(heed, move || child.wait());
        let status = waited.inspect_err(|_| {
            let _gone = rustix::process::kill_process(process, rustix::process::Signal::TERM);
            // It gives the terminal back before it goes.
            interrupts.pause(GRACE);
        })?;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(format!(
                "Could not run editor: {}",
                describe(status)
            ))),
            Err(error) => Err(failed(format!("Could not run editor: {error}"))),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the editor of the user")]
    fn start(&self, file: &Path) -> std::io::Result<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .arg(file)
            .spawn()
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => status.to_string(),
    }
}

/// Where a program lies that is started by its name.
fn on_path(program: &Path, environment: &Environment) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return Some(program.to_owned());
    }
    let path = environment.var_os("PATH")?;
    std::env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|candidate| rustix::fs::access(candidate, rustix::fs::Access::EXEC_OK).is_ok())
}

/// Whether a program is a vim, by the name of the file it leads to: `vi` may be one, or something else.
fn is_vim(program: &OsString, environment: &Environment) -> bool {
    let real = on_path(Path::new(program), environment).and_then(|path| path.canonicalize().ok());
    let name = real.as_deref().and_then(Path::file_name).unwrap_or(program);
    let name = name.to_string_lossy();
    name.starts_with("vim") || name.starts_with("nvim")
}

const FALLBACKS: [&str; 3] = ["vim", "nano", "vi"];

/// No swap file, no viminfo, and, whatever the user's settings are, neither backup nor undo file: they would hold
/// plaintext, and outlive the edit.
const VIM_LEAVES_NO_COPIES: [&str; 5] = [
    "-n",
    "-i",
    "NONE",
    "-c",
    "silent! set nobackup nowritebackup | silent! set noundofile",
];

/// How long an editor that is told to end may take to do so.
const GRACE: Duration = Duration::from_secs(2);
