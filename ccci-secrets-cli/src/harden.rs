//! What the process does to itself before it holds a secret: no core dumps, no other process of the user looks in.

use std::panic::{self, AssertUnwindSafe};

use rustix::fs::Mode;
use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::exit::Exit;
use crate::output;

/// Forbids core dumps and reading the memory of this process.
///
/// A sandbox may refuse either. Then we go on: these are fences around the secrets, and a file that cannot be opened at
/// boot does more harm. The umask stays as it is, since it decides the mode of new sealed files; files with plaintext
/// get theirs explicitly.
pub(crate) fn process() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _refused = rustix::process::setrlimit(Resource::Core, none);
    let _refused = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// What activation does beyond that: files that it makes are nobody else's until their mode is set, no page of this
/// process goes to a swap device, and what it inherited goes to no program that it starts. Nothing is closed: a key may
/// come through a pipe, and a socket from the service manager.
pub(crate) fn activation() {
    close_fds::set_fds_cloexec(3, &[]);
    rustix::process::umask(Mode::from_raw_mode(0o077));
    memory();
}

/// Keeps every page of this process off a swap device.
///
/// Memory is locked only where that is without limit: with a limit, the first allocation beyond it would end the
/// process in the middle of the work.
pub(crate) fn memory() {
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let _refused = rustix::process::setrlimit(Resource::Memlock, unlimited);
    if rustix::process::getrlimit(Resource::Memlock)
        .current
        .is_none()
    {
        let _refused = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    }
}

/// Runs the program. A panic unwinds, so that secrets are wiped and guards clean up, and ends with exit 70.
pub(crate) fn run(program: impl FnOnce() -> Exit) -> Exit {
    panic::set_hook(Box::new(|info| {
        // The payload may quote what was being worked on; the place is enough to find the bug.
        let place = info.location().map(ToString::to_string);
        output::internal_error(place.as_deref().unwrap_or("an unknown place"));
    }));
    panic::catch_unwind(AssertUnwindSafe(program)).unwrap_or(Exit::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_exit_70() {
        let exit = run(|| panic!("canary"));
        drop(panic::take_hook());
        assert_eq!(exit, Exit::Internal);
    }
}
