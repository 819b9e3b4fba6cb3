//! Units become files: first it is found out what stands in their places, then everything is written or nothing.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ccci_secrets::activation::systemd::{
    CREDENTIALS_SOCKET, SECRETS_TARGET, UnitFile, UnitFiles, UnitKind, UnitPlace, is_marked,
    mark_of,
};
use ccci_secrets::atomic::NewFileMode;
use ccci_secrets::error::{ErrorCode, PathError};

use super::places::Places;
use crate::error::CommandError;
use crate::output;
use crate::shell::quoted;

pub(super) fn install(made: &UnitFiles, places: &Places, force: bool) -> Result<(), CommandError> {
    let found: Vec<Found> = made
        .files
        .iter()
        .map(|file| Found::look(made, places, file))
        .collect::<Result<_, _>>()?;
    let obstacles: Vec<String> = found
        .iter()
        .filter_map(|found| found.obstacle(force))
        .collect();
    if !obstacles.is_empty() {
        let message = format!("{}\nnothing was written", obstacles.join("\n"));
        return Err(CommandError::new(ErrorCode::TargetConflict, message)
            .hint(
                "--force replaces files, but not links; --name makes other units of this manifest",
            )
            .without_general_hint());
    }
    let mut told = Vec::new();
    for found in &found {
        told.push(found.write()?);
    }
    for path in stale(made, places)? {
        remove(&path)?;
        told.push(format!("removed {}\n", path.display()));
    }
    output::data(told.concat().as_bytes())?;
    for line in next_steps(made, places, moved_mount(&found)) {
        output::note(line);
    }
    Ok(())
}

/// A file that is to be written, and what stands in its place.
struct Found<'a> {
    path: PathBuf,
    file: &'a UnitFile,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    /// A file that was not made for this service, or no file at all.
    Foreign,
    /// A link to `/dev/null`.
    Masked,
    /// A link to anything else.
    Link,
    /// An older version.
    Older,
    /// Exactly this.
    Same,
    /// One that was made for another manifest.
    OtherManifest,
}

impl<'a> Found<'a> {
    fn look(made: &UnitFiles, places: &Places, file: &'a UnitFile) -> Result<Self, CommandError> {
        let path = places.of_file(file);
        let state = match std::fs::symlink_metadata(&path) {
            Err(error) if is_absence(&error) => State::Absent,
            Err(source) => return Err(unreadable(path, source)),
            Ok(found) if found.is_symlink() => match std::fs::read_link(&path) {
                Ok(target) if target == Path::new("/dev/null") => State::Masked,
                _ => State::Link,
            },
            Ok(found) if !found.is_file() => State::Foreign,
            Ok(_) => match std::fs::read(&path) {
                Ok(text) => compare(made, file, &text),
                Err(source) => return Err(unreadable(path, source)),
            },
        };
        Ok(Self { path, file, state })
    }

    /// Why it cannot be written.
    fn obstacle(&self, force: bool) -> Option<String> {
        let path = self.path.display();
        let why = match self.state {
            State::Absent | State::Older | State::Same => return None,
            State::Masked => "the unit is masked (`systemctl unmask` undoes that)",
            State::Link => "is a link",
            State::Foreign if self.path.is_dir() => "is a directory",
            State::Foreign | State::OtherManifest if force => return None,
            State::Foreign => "was made by somebody else",
            State::OtherManifest => "belongs to another manifest",
        };
        Some(format!("{path}: {why}"))
    }

    /// Writes it if need be, and says so.
    fn write(&self) -> Result<String, CommandError> {
        let path = self.path.display();
        let word = match self.state {
            State::Same => return Ok(format!("unchanged {path}\n")),
            State::Older => "updated",
            State::Foreign | State::OtherManifest => "replaced",
            State::Absent | State::Masked | State::Link => "wrote",
        };
        let fault = |source| {
            CommandError::cannot_write(PathError {
                path: self.path.clone(),
                source,
            })
        };
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory).map_err(fault)?;
        }
        output::file(&self.path, self.file.text.as_bytes(), NewFileMode::Umask)?;
        // systemd tells everybody what its units say, and complains of those that others may write.
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&self.path, mode).map_err(fault)?;
        Ok(format!("{word} {path}\n"))
    }
}

fn compare(made: &UnitFiles, file: &UnitFile, text: &[u8]) -> State {
    let is_ours = match file.path == Path::new(SECRETS_TARGET) {
        true => is_marked(text),
        false => belongs_to(text, &made.service),
    };
    match is_ours {
        _ if text == file.text.as_bytes() => State::Same,
        false if is_marked(text) => State::OtherManifest,
        false => State::Foreign,
        true if manifest_of(text) != manifest_of(file.text.as_bytes()) => State::OtherManifest,
        true => State::Older,
    }
}

fn belongs_to(text: &[u8], service: &str) -> bool {
    let mark = mark_of(Some(service));
    text.split(|byte| *byte == b'\n').next() == Some(mark.as_bytes())
}

/// The line of a service that names its manifest.
fn manifest_of(text: &[u8]) -> Option<&[u8]> {
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.find(|line| line.starts_with(b"Description=Secrets of "))
}

/// Files that were made for this service and that it does not need any more.
fn stale(made: &UnitFiles, places: &Places) -> Result<Vec<PathBuf>, CommandError> {
    let wanted: Vec<PathBuf> = made.files.iter().map(|file| places.of_file(file)).collect();
    let name = made.service.trim_end_matches(".service");
    let mut candidates = Vec::new();
    for path in entries(&places.units)? {
        match path.extension().and_then(OsStr::to_str) {
            Some("mount" | "service" | "socket") => candidates.push(path),
            Some("d") => candidates.push(path.join(format!("50-{name}.conf"))),
            _ => {}
        }
    }
    candidates.retain(|path| {
        let is_file = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
        is_file
            && !wanted.contains(path)
            && std::fs::read(path).is_ok_and(|text| belongs_to(&text, &made.service))
    });
    Ok(candidates)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let read = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> =
        read.map_err(|source| unreadable(directory.to_owned(), source))?;
    paths.sort();
    Ok(paths)
}

/// Removes a file, the link by which it was enabled, and its directory if nothing else is in it.
fn remove(path: &Path) -> Result<(), CommandError> {
    std::fs::remove_file(path).map_err(|source| {
        CommandError::cannot_write(PathError {
            path: path.to_owned(),
            source,
        })
    })?;
    if let Some(directory) = path.parent() {
        if path.ends_with(CREDENTIALS_SOCKET) {
            // It may never have been enabled.
            drop(std::fs::remove_file(
                directory
                    .join("sockets.target.wants")
                    .join(CREDENTIALS_SOCKET),
            ));
        }
        // It holds something else, and stays.
        drop(std::fs::remove_dir(directory));
    }
    Ok(())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unreadable(path: PathBuf, source: io::Error) -> CommandError {
    let error = PathError { path, source };
    CommandError::new(ErrorCode::FileUnreadable, format!("cannot read {error}"))
}

/// A mount that is new beside a service that is not. What a service needs is started with it, and not when it is reloaded.
fn moved_mount<'a>(found: &[Found<'a>]) -> Option<&'a Path> {
    let service = found.first()?;
    let mut others = found.iter();
    let mount = others.find(|found| found.path.extension() == Some(OsStr::new("mount")))?;
    let is_moved = service.state != State::Absent && mount.state == State::Absent;
    is_moved.then_some(&mount.file.path)
}

/// The units that a boot begins with.
fn enabled(made: &UnitFiles) -> String {
    let service = quoted(Path::new(&made.service));
    match gives_credentials(made) {
        true => format!("{service} {CREDENTIALS_SOCKET}"),
        false => service.to_string(),
    }
}

fn gives_credentials(made: &UnitFiles) -> bool {
    let mut files = made.files.iter();
    files.any(|file| file.path == Path::new(CREDENTIALS_SOCKET))
}

/// What makes the files count.
fn next_steps(made: &UnitFiles, places: &Places, moved_mount: Option<&Path>) -> Vec<String> {
    let units = enabled(made);
    if let Some(root) = &places.root {
        return vec![format!(
            "next: systemctl --root={} enable {units}",
            quoted(root)
        )];
    }
    let manager = match places.kind {
        UnitKind::User => "systemctl --user",
        _ => "systemctl",
    };
    let tmpfiles = made
        .files
        .iter()
        .filter(|file| file.place == UnitPlace::Tmpfiles);
    let mut commands: Vec<String> = tmpfiles
        .map(|file| {
            format!(
                "systemd-tmpfiles --create {}",
                quoted(&places.of_file(file))
            )
        })
        .collect();
    commands.extend([
        format!("{manager} daemon-reload"),
        format!("{manager} enable {units}"),
    ]);
    commands.extend(moved_mount.map(|mount| format!("{manager} start {}", quoted(mount))));
    // It starts one that is not active, and never restarts one that is.
    commands.push(format!(
        "{manager} reload-or-restart {}",
        quoted(Path::new(&made.service))
    ));
    if gives_credentials(made) {
        commands.push(format!("{manager} start {CREDENTIALS_SOCKET}"));
    }
    let mut lines = vec![format!("next: {}", commands.join(" && "))];
    if !Path::new("/run/systemd/system").exists() {
        lines.push("systemd does not run here: the files wait for a boot with it".into());
    }
    lines
}
