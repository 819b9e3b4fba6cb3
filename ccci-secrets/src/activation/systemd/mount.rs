//! The unit that mounts a ramfs for the generations.

use super::text::line;
use super::{UnitError, UnitKind};

/// It is never another kind of file system: a mount unit cannot fall back when the kernel refuses an option, and one that is
/// restarted after its type was changed destroys the generation that is in use. What ramfs has no options for, the group of
/// the root directory, is the service's business.
pub(super) fn text(path: &str, kind: UnitKind) -> Result<String, UnitError> {
    let place = line(path)?;
    let early = match kind {
        // What mount units wait for by themselves comes after users were made.
        UnitKind::ForUsers => EARLY,
        UnitKind::System | UnitKind::User => "",
    };
    Ok(format!(
        "[Unit]
Description=Memory for secrets at {place}
{early}X-StopOnRemoval=false
X-RestartIfChanged=false

[Mount]
What=ramfs
Where={place}
Type=ramfs
Options=mode=0751,nodev,nosuid,noexec
"
    ))
}

const EARLY: &str = "DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
";
