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
#[path = "activation/crash.rs"]
mod crash;
#[path = "activation/drills.rs"]
mod drills;
#[path = "activation/drop_in/mod.rs"]
mod drop_in;
#[path = "activation/fixtures.rs"]
mod fixtures;
#[path = "activation/harness.rs"]
mod harness;
#[path = "activation/keys.rs"]
mod keys;
#[path = "activation/limits.rs"]
mod limits;
#[path = "activation/plans.rs"]
mod plans;
#[path = "activation/quickstart.rs"]
mod quickstart;
#[path = "activation/refusals.rs"]
mod refusals;
#[path = "activation/repairs.rs"]
mod repairs;
#[path = "activation/results.rs"]
mod results;
#[path = "activation/samples.rs"]
mod samples;
#[path = "activation/sealing.rs"]
mod sealing;
#[path = "activation/sources.rs"]
mod sources;
#[path = "activation/units.rs"]
mod units;
#[path = "activation/users.rs"]
mod users;
#[path = "activation/values.rs"]
mod values;
#[path = "activation/verification.rs"]
mod verification;
#[path = "activation/world.rs"]
mod world;

use harness::Needs::{Anywhere, Both, Machine, Root, RootMachine};

fn main() {
    let scenarios = scenarios![
        Anywhere keys::s01_recipients_are_those_of_ssh_to_age,
        Anywhere sealing::s02_certificate_and_key_are_added_from_files_byte_for_byte,
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
        Both verification::s16_a_rebuilt_host_has_zero_drift,
        Both verification::s16_a_host_is_rebuilt_from_two_repositories_and_one_key,
        Both verification::s42_every_tampering_has_its_class,
        Root verification::s42_owners_and_mounts_are_compared,
        Both verification::s42_offline_needs_a_record_and_a_key,
        Both verification::s42_offline_under_another_key_says_so,
        Anywhere drills::s43_a_drill_names_the_file_that_the_recovery_key_does_not_open,
        Anywhere drills::s43_a_policy_and_forbidden_keys_are_part_of_the_drill,
        Anywhere drills::s43_git_settings_with_credentials_are_named_and_the_credential_is_not,
        Anywhere drills::the_doctor_needs_neither_keys_nor_rights,
        Machine drills::the_doctor_tells_of_selinux,
        Anywhere drills::enrolment_is_told_with_the_recipient_that_is_to_be_added,
        Both certificates::s15_a_server_shows_the_leaf_that_the_report_names,
        Both certificates::s25_certificates_that_will_not_do_are_refused_with_the_reason,
        Both certificates::s25_keys_of_every_form_are_accepted,
        Both certificates::the_leaf_that_is_expected_is_compared,
        Root refusals::s26_blocked_targets_are_reported_together,
        Machine units::s27_by_our_own_name_a_rehearsal_is_a_plan,
        RootMachine drop_in::s27_a_rehearsal_tells_what_would_change_and_writes_lists_only,
        Both values::s22_keys_lead_to_strings_and_everything_else_is_named,
        Both values::s23_what_stands_in_place_of_a_sops_file_is_found_at_build_time,
        Both values::s37_templates_are_rendered_in_one_pass_every_time,
        Both values::s40_each_sops_file_is_read_once_however_many_secrets_come_from_it,
        Both values::s41_keys_that_lie_around_count_only_when_asked_for,
        Machine values::s44_processes_show_nothing,
        RootMachine crash::s28_killed_at_any_call_a_rotation_leaves_old_or_new,
        RootMachine crash::s28_killed_at_any_call_a_first_run_leaves_nothing_that_the_next_one_minds,
        RootMachine crash::s28_units_of_a_run_that_was_killed_are_told_by_the_next_one,
        RootMachine crash::s29_an_error_of_any_call_leaves_old_or_new,
        RootMachine limits::s13_after_a_reboot_everything_is_there_again,
        RootMachine limits::s13b_after_a_reboot_the_links_of_secrets_that_went_are_gone,
        RootMachine limits::s30_a_full_or_read_only_file_system_keeps_the_old_generation,
        RootMachine limits::s30_too_few_descriptors_or_bytes_for_a_file_change_nothing,
        RootMachine limits::s30_a_small_limit_of_locked_memory_ends_nothing,
        RootMachine limits::s30_where_swap_is_on_no_tmpfs_is_made_that_may_be_swapped_out,
        Machine limits::s31_activations_at_once_all_end_well,
        Machine limits::s32_readers_never_miss_a_file_and_pairs_match,
        Machine limits::s33_another_kind_of_mount_hides_no_live_generation,
        RootMachine drop_in::s39_generations_are_numbered_and_pruned_as_by_the_reference,
        RootMachine drop_in::s39_links_to_other_places_begin_a_new_count,
        RootMachine drop_in::s39_changes_are_told_line_by_line,
        RootMachine drop_in::s39_units_are_told_as_by_the_reference,
        RootMachine drop_in::s39_what_stands_at_a_path_gives_way_but_for_a_full_directory,
        RootMachine drop_in::s39_owners_and_modes_are_those_of_the_manifest,
        RootMachine drop_in::s39_keys_are_heeded_where_the_format_has_some,
        RootMachine drop_in::s39_checks_need_neither_keys_nor_accounts,
        RootMachine samples::s39_every_sample_manifest_gives_the_tree_of_the_reference,
        RootMachine samples::s39_the_sample_with_a_home_of_gnupg_gives_the_tree_of_the_first,
        RootMachine drop_in::s41_keys_of_the_environment_open_with_a_warning,
        RootMachine drop_in::s44_private_keys_of_the_former_program_are_removed,
        RootMachine drop_in::s45_in_user_mode_links_are_replaced_without_a_gap_and_changes_are_told,
        RootMachine users::s45_a_user_needs_nobody_else_and_touches_nothing_else,
        RootMachine users::s45_a_user_in_a_namespace_of_users_is_a_user_as_well,
        RootMachine users::s45_units_of_a_user_are_told_if_there_is_anybody_to_tell,
        RootMachine users::s45_a_container_that_may_not_mount_is_told_what_helps,
        RootMachine users::a_root_that_may_give_nothing_away_is_told_so,
        RootMachine users::s46_secrets_for_users_are_made_before_there_is_anybody,
        RootMachine drop_in::s46_secrets_for_users_need_no_accounts_and_touch_nothing_else,
        RootMachine drop_in::s51_the_command_line_is_that_of_the_reference,
        Machine units::s34_a_unit_that_does_not_exist_blocks_nothing_and_is_tried_again,
        Root results::s36_modes_and_owners_are_exact_under_any_umask,
        Machine units::s38_changes_of_mode_and_secrets_that_went_are_told_to_their_units,
        Machine units::programs_that_are_started_inherit_no_open_file,
        Machine units::while_nixos_switches_units_go_into_its_lists,
        Both results::a_second_run_changes_nothing_and_says_so,
        Both results::a_report_that_nobody_can_read_is_a_failed_step_and_no_refusal,
        Both results::two_runs_at_once_both_end_well,
        Both results::links_that_went_are_placed_again_and_told,
        Both repairs::lost_links_are_placed_again_without_any_key,
        Both repairs::an_active_link_that_was_removed_is_made_again,
        Both repairs::what_is_in_the_way_of_a_link_is_a_failed_step,
        Both repairs::an_interrupted_run_is_finished,
        Both repairs::the_next_activation_finishes_an_interrupted_one_and_says_so,
        Machine repairs::s34_repair_tells_units_that_were_not_told,
        Both repairs::where_nothing_was_activated_there_is_nothing_to_prune,
        Both repairs::generations_that_nobody_wants_are_pruned,
        Both results::rotation_makes_a_new_generation_and_removes_the_old_one,
        Both refusals::a_refusal_is_json_where_json_was_asked_for,
        Anywhere refusals::a_manifest_that_is_not_there_or_no_file_is_refused,
        Anywhere refusals::a_report_that_cannot_be_written_is_a_later_step_that_failed,
        Anywhere refusals::checks_and_credentials_that_name_nothing_are_refused_by_field,
        Anywhere quickstart::the_first_command_of_the_readme_works_and_converges,
        Anywhere quickstart::the_sample_manifests_pass_the_check,
        Root quickstart::every_format_gives_the_files_of_the_reference,
    ];
    harness::run(&scenarios, Vec::new);
}
