//! Scenarios of whole hosts: each boots systemd on an overlay of this machine's root, in a mount namespace of its own, and
//! looks at what became of units, services and files. They run as those of activation do, and end with the same table.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::exit,
    reason = "a test that drives the real program"
)]

#[path = "hosts/changes.rs"]
mod changes;
#[path = "hosts/credentials.rs"]
mod credentials;
#[path = "hosts/debian.rs"]
mod debian;
#[path = "activation/fixtures.rs"]
mod fixtures;
#[path = "hosts/guest.rs"]
mod guest;
#[path = "activation/harness.rs"]
#[expect(dead_code, reason = "the scenarios of activation use the rest")]
mod harness;
#[path = "hosts/initrd.rs"]
mod initrd;
#[path = "hosts/machine.rs"]
mod machine;
#[path = "hosts/manual.rs"]
mod manual;
#[path = "hosts/nix.rs"]
mod nix;
#[path = "hosts/units.rs"]
mod units;
#[path = "hosts/users.rs"]
mod users;
#[path = "activation/world.rs"]
#[expect(dead_code, reason = "the scenarios of activation use the rest")]
mod world;

use harness::Needs::{Anywhere, RootMachine};

fn main() {
    let scenarios = scenarios![
        RootMachine debian::a_package_is_installed_used_upgraded_removed_and_purged,
        RootMachine units::a_machine_boots_and_comes_back_with_what_it_wrote,
        Anywhere nix::s50_manifests_of_the_module_pass_the_checks_and_work,
        Anywhere nix::s50_a_build_fails_where_the_check_does,
        Anywhere nix::s50_mistakes_are_named_before_anything_is_built,
        Anywhere nix::s50_manifests_of_sops_nix_pass_as_in_its_build,
        Anywhere nix::s50_units_are_those_that_the_program_prints,
        RootMachine nix::s50_units_of_the_module_work_in_a_boot,
        RootMachine nix::s50_without_units_the_activation_script_makes_the_secrets,
        Anywhere nix::s50_a_home_has_its_secrets_in_the_runtime_directory,
        Anywhere nix::s50_the_package_is_made_of_what_is_here,
        RootMachine manual::a_debian_host_is_set_up_from_nothing_as_the_manual_says,
        Anywhere nix::the_configuration_of_the_manual_is_one,
        Anywhere nix::s50_the_flake_offers_package_and_modules,
        RootMachine units::s14_a_refusal_holds_back_whoever_needs_the_secrets,
        RootMachine units::s14_a_later_step_that_failed_holds_nobody_back,
        RootMachine units::s35_a_service_that_reads_at_start_reads_what_is_new,
        RootMachine units::s35_units_that_are_told_while_the_machine_boots_hold_nothing_up,
        RootMachine units::s47_every_unit_is_sound_and_confined,
        RootMachine units::s48_the_service_writes_to_its_targets_and_nowhere_else,
        RootMachine units::s48b_a_blank_machine_starts,
        RootMachine units::s48b_users_are_made_although_var_is_mounted_later,
        RootMachine credentials::s49_credentials_are_exact_and_never_empty,
        RootMachine credentials::s49_somebody_else_than_root_is_refused_even_with_the_socket_open,
        RootMachine credentials::s49_an_answer_that_breaks_off_is_more_than_any_credential,
        RootMachine credentials::s49_a_service_that_is_stopped_while_a_peer_reads_slowly_gives_everything,
        RootMachine credentials::s49_a_service_that_is_killed_before_it_answers_gives_nothing,
        RootMachine credentials::s49_one_byte_too_many_is_refused_by_the_check,
        Anywhere initrd::s52_an_initrd_without_accounts_has_its_secrets_in_memory,
        Anywhere initrd::s52_a_plug_that_is_pulled_leaves_old_or_new,
        RootMachine users::s45_a_user_has_secrets_and_units_that_wait_for_them,
        RootMachine changes::s47_secrets_that_need_the_network_come_with_it,
        RootMachine changes::s48_secrets_move_to_another_mount_with_a_reload,
        RootMachine units::targets_of_any_kind_are_reached,
        RootMachine units::a_link_goes_with_its_secret_although_its_directory_is_nobodys_target,
        RootMachine units::what_is_missing_at_boot_can_come_later,
        RootMachine units::a_sandbox_that_hides_mounts_is_noticed,
    ];
    harness::run(&scenarios, || vec![machine::systemd_version()]);
}
