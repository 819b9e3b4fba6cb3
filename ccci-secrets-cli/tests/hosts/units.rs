//! Units that were made for a manifest, in real boots.

use crate::harness::Verdict;
use crate::machine::{Machine, systemd_version};
use crate::world::World;

pub(crate) fn a_machine_boots_and_comes_back_with_what_it_wrote(_world: &World) -> Verdict {
    let machine = Machine::new()?;
    machine.write_private("/etc/ccsec/told", "before the boot\n");
    machine.install_program();

    let first = machine.boot(
        "cat /etc/ccsec/told; systemctl --version | head -n 1
        echo kept >/var/lib/kept; echo lost >/run/lost
        ccsec --version; false; exit 3",
    );
    assert_eq!(first.exit, 3, "{first:?}");
    assert!(first.printed.starts_with("before the boot\n"), "{first:?}");
    assert!(first.printed.contains(&systemd_version()), "{first:?}");
    assert!(first.printed.contains("ccsec "), "{first:?}");
    assert!(first.journal.contains("Basic System"), "{first:?}");

    let second = machine.boot_and_succeed("cat /var/lib/kept; test ! -e /run/lost");
    assert_eq!(second, "kept\n");
    assert!(machine.written().join("var/lib/kept").exists());
    Ok(())
}
