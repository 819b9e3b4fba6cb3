//! The acceptance scenarios of activation, each under its id. Every one runs with the real program; most run twice: below
//! a directory (`--root`), which needs no privileges, and as on a machine, in a mount namespace of its own.
//!
//! This test has its own main function: it starts itself again inside namespaces, and ends with a table of what ran and
//! what was skipped and why. Words on the command line select scenarios by name, as usual.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::exit,
    reason = "a test that drives the real program"
)]

#[path = "activation/certificates.rs"]
mod certificates;
#[path = "activation/fixtures.rs"]
mod fixtures;
#[path = "activation/harness.rs"]
mod harness;
#[path = "activation/keys.rs"]
mod keys;
#[path = "activation/plans.rs"]
mod plans;
#[path = "activation/quickstart.rs"]
mod quickstart;
#[path = "activation/refusals.rs"]
mod refusals;
#[path = "activation/results.rs"]
mod results;
#[path = "activation/sources.rs"]
mod sources;
#[path = "activation/units.rs"]
mod units;
#[path = "activation/world.rs"]
mod world;

use harness::Needs::{Anywhere, Both, Machine, Root};

fn main() {
    harness::run(&scenarios![
        Anywhere keys::s01_recipients_are_those_of_ssh_to_age,
        Both results::s03_certificate_and_key_are_where_the_proxy_looks,
        Both results::s04_the_ssh_host_key_alone_opens_everything,
        Both refusals::s05_missing_key_file_changes_nothing,
        Both keys::s06_a_key_derived_from_the_host_key_gives_the_same_files,
        Both keys::s07_the_recovery_key_opens_beside_a_foreign_host_key,
        Both keys::s08_without_any_key_everything_that_was_looked_at_is_named,
        Anywhere keys::s09_a_recovery_key_is_installed_once_and_silently,
        Both sources::s10_submodule_that_is_not_initialised_is_named,
        Both results::s12_files_of_the_operator_are_adopted_or_kept,
        Machine units::s17_a_change_of_the_manifest_alone_restarts_nothing,
        Machine units::s18_each_unit_is_told_once_after_the_swap_and_none_on_the_first_run,
        Both sources::s19_one_flipped_byte_stops_everything,
        Both sources::s20_missing_mac_and_foreign_recipients_stop_everything,
        Both refusals::s21_manifests_that_break_a_rule_are_refused_by_both_commands,
        Both refusals::s24_unusable_key_files_say_why_and_never_hang,
        Both plans::s11_a_plain_copy_and_a_clone_with_submodule_have_one_plan,
        Both plans::s27_a_plan_tells_everything_and_changes_nothing,
        Both plans::s27_a_plan_opens_nothing_for_writing,
        Root plans::s27_a_plan_for_somebody_who_may_not_read_the_keys,
        Both certificates::s25_certificates_that_will_not_do_are_refused_with_the_reason,
        Both certificates::s25_keys_of_every_form_are_accepted,
        Both certificates::the_leaf_that_is_expected_is_compared,
        Root refusals::s26_blocked_targets_are_reported_together,
        Machine units::s34_a_unit_that_does_not_exist_blocks_nothing_and_is_tried_again,
        Root results::s36_modes_and_owners_are_exact_under_any_umask,
        Machine units::s38_changes_of_mode_and_secrets_that_went_are_told_to_their_units,
        Machine units::while_nixos_switches_units_go_into_its_lists,
        Both results::a_second_run_changes_nothing_and_says_so,
        Both results::a_report_that_nobody_can_read_is_a_failed_step_and_no_refusal,
        Both results::two_runs_at_once_both_end_well,
        Both results::links_that_went_are_placed_again_and_told,
        Both results::rotation_makes_a_new_generation_and_removes_the_old_one,
        Anywhere refusals::a_manifest_that_is_not_there_or_no_file_is_refused,
        Anywhere refusals::a_report_that_cannot_be_written_is_a_later_step_that_failed,
        Anywhere refusals::what_is_not_built_yet_is_refused_by_name,
        Anywhere quickstart::the_first_command_of_the_readme_works_and_converges,
        Anywhere quickstart::the_sample_manifests_pass_the_check,
        Root quickstart::every_format_gives_the_files_of_the_reference,
    ]);
}
