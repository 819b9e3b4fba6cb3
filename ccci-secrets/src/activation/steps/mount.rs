//! Whether something is mounted where the generations lie.

use super::{Settings, Steps};
use crate::activation::fault::{Fault, TargetProblem, Warning, WarningKind};
use crate::activation::manifest::MountWish;
use crate::activation::observe::Found;
use crate::fs::{FileSystem, MemoryMount};

impl Steps {
    /// Never a mount over a mount, and never one over a live generation.
    pub(super) fn plan_mount(&mut self, settings: Settings, observed: &Found) -> Option<Fault> {
        let found = &observed.mount;
        if settings.rebased || settings.mount == MountWish::None {
            if !found.file_system.is_memory() && !settings.rebased {
                self.warnings
                    .push(Warning::at(WarningKind::Persistent, &found.real));
            }
            return None;
        }
        let (wanted, mount) = match settings.use_tmpfs {
            true => (FileSystem::Tmpfs, MemoryMount::TmpfsNoSwap),
            false => (FileSystem::Ramfs, MemoryMount::Ramfs),
        };
        if found.is_mount_point && found.file_system == wanted {
            return None;
        }
        if found.file_system.is_memory() && (found.is_mount_point || observed.current.is_some()) {
            self.warnings
                .push(Warning::at(WarningKind::MountKept, &found.real));
            return None;
        }
        if found.is_mount_point {
            return Some(Fault::Target {
                path: found.real.clone(),
                problem: TargetProblem::PersistentMount,
            });
        }
        if !found.numbers.is_empty() {
            self.warnings
                .push(Warning::at(WarningKind::Covered, &found.real));
        }
        self.mount = Some(mount);
        None
    }
}

/// Whether the files lie on a disk though they are to lie in memory.
pub(super) fn is_lacking(settings: Settings, observed: &Found) -> bool {
    let wants_mount = !settings.rebased && settings.mount == MountWish::Auto;
    wants_mount && !observed.mount.file_system.is_memory()
}
