//! Files whose data key is split over several key groups.

use std::fs;

use super::*;

/// The three groups of a file by sops, each of one age key; two are needed.
fn groups() -> Vec<WrappedGroup> {
    let all = entries("yaml-shamir-2of3.yaml");
    let groups: Vec<WrappedGroup> = all
        .keys
        .into_iter()
        .map(|key| WrappedGroup::new(vec![key]))
        .collect();
    assert_eq!(groups.len(), 3);
    groups
}

fn identities(names: &[&str]) -> Keyring {
    let identity = |name: &&str| -> Box<dyn Identity> {
        Box::new(X25519Identity::parse(&age_identity(name)).unwrap())
    };
    Keyring::from_identities(names.iter().map(identity).collect())
}

fn key(keyring: &Keyring, groups: &[WrappedGroup], threshold: Option<u32>) -> [u8; 32] {
    let unwrapped = keyring.unwrap(groups, threshold);
    let unwrapped = unwrapped.unwrap_or_else(|error| panic!("{error}: {:?}", error.report()));
    *unwrapped.key.expose()
}

fn failed(keyring: &Keyring, groups: &[WrappedGroup], threshold: Option<u32>) -> AttemptReport {
    let error = keyring.unwrap(groups, threshold).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoIdentity);
    let report = error.report().unwrap().clone();
    assert_silent(&format!("{error} {error:?} {report}"));
    report
}

#[test]
fn any_two_of_three_shares_by_sops_give_the_same_key_and_all_three_do_too() {
    let all = ["age-1.txt", "age-2.txt", "age-3.txt"];
    let expected = key(&identities(&all), &groups(), Some(2));
    for pair in [[0, 1], [0, 2], [1, 2], [2, 0]] {
        let keyring = identities(&pair.map(|nth| all[nth]));
        assert_eq!(key(&keyring, &groups(), Some(2)), expected, "{pair:?}");
        // The order of the groups in the file is not that of the shares.
        let mut turned = groups();
        turned.reverse();
        assert_eq!(key(&keyring, &turned, Some(2)), expected, "{pair:?}");
    }
}

#[test]
fn everybody_who_opened_a_group_is_named_in_the_order_of_the_file() {
    let unwrapped = identities(&["age-3.txt", "age-1.txt"])
        .unwrap(&groups(), Some(2))
        .unwrap();
    let label = |nth: usize| groups()[nth].keys[0].label();
    assert_eq!(unwrapped.opened_by.recipient, label(0));
    let also: Vec<String> = unwrapped
        .also_opened_by
        .into_iter()
        .map(|by| by.recipient)
        .collect();
    assert_eq!(also, [label(2)]);
}

#[test]
fn one_share_of_two_is_reported_group_by_group() {
    let report = failed(&age_keyring("age-2.txt"), &groups(), Some(2));
    assert_eq!((report.needs, report.open_groups()), (2, 1));
    assert_eq!(
        report.summary(),
        "only 1 of its 3 key groups opens, and 2 are needed"
    );
    let outcomes: Vec<&KeyOutcome> = report
        .groups
        .iter()
        .map(|group| &group.keys[0].outcome)
        .collect();
    let none = &KeyOutcome::NoIdentity;
    assert_eq!(outcomes, [none, &KeyOutcome::Opened, none]);
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("group 1 (needs 1): age1"), "{text}");
    assert!(lines[0].ends_with("  no matching identity"), "{text}");
    assert!(lines[1].starts_with("group 2 (needs 1): age1"), "{text}");
    assert!(lines[1].ends_with("  opened"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["needs"], 2);
    assert_eq!(json["groups"][1]["open"], true);
    assert_eq!(json["groups"][1]["keys"][0]["outcome"], "opened");
}

#[test]
fn no_share_at_all_is_reported() {
    let report = failed(&Keyring::empty(), &groups(), None);
    assert_eq!(
        report.summary(),
        "none of its 3 key groups opens, and 2 are needed"
    );
}

// sops 3.13.3 joins what it has where the threshold is missing, and refuses a single share.
#[test]
fn without_a_threshold_two_shares_are_joined_and_one_is_too_few() {
    let two = identities(&["age-1.txt", "age-3.txt"]);
    let expected = key(&two, &groups(), Some(2));
    assert_eq!(key(&two, &groups(), None), expected);
    assert_eq!(key(&two, &groups(), Some(1)), expected);
    let one = age_keyring("age-1.txt");
    assert_eq!(failed(&one, &groups(), None).needs, 2);
    assert_eq!(failed(&one, &groups(), Some(1)).needs, 2);
}

#[test]
fn a_threshold_that_no_number_of_groups_meets_is_reported() {
    let all = identities(&["age-1.txt", "age-2.txt", "age-3.txt"]);
    let report = failed(&all, &groups(), Some(4));
    assert_eq!(
        report.summary(),
        "only 3 of its 3 key groups open, and 4 are needed"
    );
}

#[test]
fn another_key_of_an_open_group_is_not_needed() {
    let mut groups = groups();
    let spare = groups.pop().unwrap();
    groups[0].keys.extend(spare.keys);
    let report = failed(&age_keyring("age-1.txt"), &groups, Some(2));
    let outcomes: Vec<&KeyOutcome> = report.groups[0]
        .keys
        .iter()
        .map(|key| &key.outcome)
        .collect();
    assert_eq!(outcomes, [&KeyOutcome::Opened, &KeyOutcome::NotNeeded]);
}

#[test]
fn a_share_alone_is_no_data_key_and_a_data_key_is_no_share() {
    let group = groups().remove(0);
    let report = failed(&age_keyring("age-1.txt"), &[group], None);
    let wrong = KeyOutcome::Damaged(IdentityError::WrongLength);
    assert_eq!(report.groups[0].keys[0].outcome, wrong);
    let whole = entries("yaml-multi-recipient.yaml");
    let report = failed(&age_keyring("age-1.txt"), &[whole.clone(), whole], None);
    assert_eq!(report.groups[1].keys[0].outcome, wrong);
}

#[test]
fn the_same_share_in_two_groups_is_refused_as_by_sops() {
    let mut groups = groups();
    groups[1] = groups[0].clone();
    let error = age_keyring("age-1.txt")
        .unwrap(&groups, Some(2))
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::DoesNotOpen);
    assert!(error.to_string().contains("the same share"), "{error}");
}

#[test]
fn a_group_without_keys_does_not_open_and_does_not_stop_the_others() {
    let mut groups = groups();
    groups[1].keys.clear();
    let two = identities(&["age-1.txt", "age-3.txt"]);
    let expected = key(&two, &self::groups(), Some(2));
    assert_eq!(key(&two, &groups, Some(2)), expected);
}

#[test]
fn a_share_under_a_foreign_label_is_found() {
    let mut groups = groups();
    let enc = groups[1].keys[0].field("enc").unwrap().to_owned();
    groups[1].keys[0] = WrappedKey::age("age1elsewhere", &enc);
    let two = identities(&["age-1.txt", "age-2.txt"]);
    let expected = key(&two, &self::groups(), Some(2));
    assert_eq!(key(&two, &groups, Some(2)), expected);
}

/// A command that asks somebody is run for as many groups as are needed, and no more.
#[test]
fn no_command_is_run_for_a_group_that_is_not_needed() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("keys");
    let log = directory.path().join("log");
    let lines = ["age-1.txt", "age-2.txt", "age-3.txt"].map(age_identity);
    let body = format!(
        "#!/bin/sh\necho asked >> {}\nprintf '%s\\n' {}\n",
        log.display(),
        lines.join(" ")
    );
    fs::write(&script, body).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let environment = environment().with_var("SOPS_AGE_KEY_CMD", script.to_str().unwrap());
    key(&Keyring::discover(&environment), &groups(), Some(2));
    let asked = fs::read_to_string(&log).unwrap();
    assert_eq!(asked.lines().count(), 2);
}
