//! Shapes of `.sops.yaml` as they are found in the wild, and each way in which one can be wrong. Where the meaning is
//! that of sops, real sops was asked; `tests/sops/interop.rs` asks it again.

use super::*;
use crate::error::ErrorCode;
use crate::selection::SelectionSettings;
use crate::wrapped::KeyKind;

const ONE: &str = "age10a73gefnvmgz29euzavnpvsfvhtw53uvtt0xc8pl7se69vwmg92q8wd94m";
const TWO: &str = "age170mp2qkmx78nth6x3dl9f4vlqxa2skmk2fkqrgu4r26vegzm2p4scqxxyz";
const SSH: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIkxAemwmuhy3uoCMvu9hoPE+eYy9Pe0Z8msJVguVz0d golden@example.invalid";

/// Puts the recipients into a text: `ONE`, `TWO`, `SSH`.
fn text(template: &str) -> String {
    template
        .replace("ONE", ONE)
        .replace("TWO", TWO)
        .replace("SSH", SSH)
}

fn parse(template: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/repo/.sops.yaml"), text(template).as_bytes())
}

fn config(template: &str) -> Config {
    parse(template).unwrap_or_else(|error| panic!("{error}\n{template}"))
}

/// The recipients of the groups of the rule for `/repo/FILE`, named as in the template.
fn recipients(config: &Config, file: &str) -> Vec<Vec<String>> {
    let rule = config.rule_for(&Path::new("/repo").join(file)).unwrap();
    let name = |key: &RuleKey| match key.key.text.as_str() {
        ONE => "ONE".into(),
        TWO => "TWO".into(),
        SSH => "SSH".into(),
        other => other.to_owned(),
    };
    let groups = rule.groups.iter();
    groups
        .map(|group| group.iter().map(name).collect())
        .collect()
}

#[track_caller]
fn assert_refused(template: &str, code: ErrorCode, expected: &str) {
    let error = parse(template).expect_err(template);
    assert_eq!((error.to_string().as_str(), error.code()), (expected, code));
}

#[track_caller]
fn assert_invalid(template: &str, expected: &str) {
    let expected = format!("/repo/.sops.yaml, {expected}");
    assert_refused(template, ErrorCode::ConfigInvalid, &expected);
}

#[test]
fn recipients_are_found_in_every_shape_people_write() {
    for (shape, expected) in [
        ("creation_rules:\n  - age: ONE\n", "ONE"),
        ("creation_rules:\n- age: ONE,TWO\n", "ONE TWO"),
        ("creation_rules:\n- age: ' ONE , TWO ,'\n", "ONE TWO"),
        ("creation_rules:\n- age: >-\n    ONE,\n    TWO\n", "ONE TWO"),
        ("creation_rules:\n- age: |\n    ONE,\n    TWO,\n", "ONE TWO"),
        ("creation_rules:\n- age: [ONE, TWO]\n", "ONE TWO"),
        (
            "creation_rules:\n- age:\n  - ONE\n  - \"TWO,SSH\"\n",
            "ONE TWO SSH",
        ),
        ("creation_rules: [{age: ONE}]\n", "ONE"),
        ("{\"creation_rules\": [{\"age\": \"ONE\"}]}", "ONE"),
        // Flat rules keep duplicates, key groups do not.
        ("creation_rules:\n- age: ONE,ONE\n", "ONE ONE"),
        (
            "creation_rules:\n- key_groups:\n  - age: [ONE, ONE]\n",
            "ONE",
        ),
        // The shape of sops-nix.
        (
            "keys:\n  - &admin ONE\n  - &host TWO\ncreation_rules:\n  - path_regex: secrets/.*\\.yaml$\n    key_groups:\n    \
             - age:\n      - *admin\n      - *host\n",
            "ONE TWO",
        ),
        (
            "keys:\n  users:\n    - &a ONE\n  hosts:\n    - &b SSH\ncreation_rules:\n  - key_groups:\n      - age: [*a, *b]\n",
            "ONE SSH",
        ),
        (
            "x-default: &default\n  age: ONE\n  encrypted_regex: ^data$\ncreation_rules:\n  - <<: *default\n    path_regex: x\n\
             \x20 - <<: *default\n",
            "ONE",
        ),
        (
            "x-a: &a {age: ONE}\nx-b: &b {age: TWO, pgp: 85D77543B3D624B63CEA9E6DBC17301B491B3F21}\ncreation_rules:\n\
             - <<: [*a, *b]\n",
            "ONE 85D77543B3D624B63CEA9E6DBC17301B491B3F21",
        ),
        (
            "x-a: &a {age: ONE}\nx-b: &b\n  <<: *a\ncreation_rules:\n- <<: *b\n",
            "ONE",
        ),
        // What the rule says itself wins, whichever comes first.
        (
            "x: &x {age: ONE}\ncreation_rules:\n- age: TWO\n  <<: *x\n",
            "TWO",
        ),
        (
            "x: &x {age: ONE}\ncreation_rules:\n- <<: *x\n  age: TWO\n",
            "TWO",
        ),
        (
            "x: &team {age: [ONE]}\ncreation_rules:\n- key_groups:\n  - merge: [*team, {age: [SSH]}]\n    age: [TWO, ONE]\n",
            "ONE SSH TWO",
        ),
        // An empty list of groups leaves the flat fields.
        ("creation_rules:\n- age: ONE\n  key_groups: []\n", "ONE"),
        ("creation_rules:\n- age: ONE\n  pgp:\n  kms: ''\n", "ONE"),
        (
            "creation_rules:\n- kms: arn:aws:kms:x+role\n  age: ONE\n  hckms: [tr:id]\n  gcp_kms: g\n  pgp: F\n\
             \x20 azure_keyvault: https://v/keys/k/1\n  hc_vault_transit_uri: https://v/v1/t/keys/k\n  aws_profile: dev\n",
            "ONE F arn:aws:kms:x+role g tr:id https://v/keys/k/1 https://v/v1/t/keys/k",
        ),
        (
            "creation_rules:\n- key_groups:\n  - hc_vault: [https://v/v1/t/keys/k]\n    \
             azure_keyvault: [{vaultUrl: https://v, key: k, version: '1'}]\n    hckms: [{key_id: tr:id}]\n    \
             gcp_kms: [{resource_id: g}]\n    kms: [{arn: a, role: r, context: {App: x}, aws_profile: p}]\n    pgp: [F]\n    \
             age: [ONE]\n",
            "ONE F a g tr:id https://v/keys/k/1 https://v/v1/t/keys/k",
        ),
        // go-yaml leaves null out of a list.
        ("creation_rules:\n-\n- age: ONE\n", "ONE"),
        (
            "creation_rules:\n- key_groups:\n  -\n  - age: [ONE, null]\n",
            "ONE",
        ),
        ("creation_rules:\n- path_regex: ''\n", ""),
    ] {
        let file = if shape.contains("path_regex: secrets") {
            "secrets/a.yaml"
        } else {
            "f.yaml"
        };
        let groups = recipients(&config(shape), file);
        let found: Vec<String> = groups.iter().map(|group| group.join(" ")).collect();
        assert_eq!(found, [expected], "{shape}");
    }
}

#[test]
fn a_rule_has_its_groups_threshold_and_selection() {
    let config = config(
        "creation_rules:\n- shamir_threshold: 2\n  mac_only_encrypted: yes\n  encrypted_regex: ^(data|stringData)$\n  \
         unencrypted_suffix: ''\n  key_groups:\n  - age: [ONE]\n  - age: [TWO]\n    pgp: [F]\n",
    );
    assert_eq!(
        recipients(&config, "x"),
        [vec!["ONE".to_owned()], vec!["TWO".into(), "F".into()]]
    );
    let rule = &config.rules()[0];
    assert_eq!((rule.threshold, rule.mac_only_encrypted), (Some(2), true));
    assert_eq!(
        rule.selection.named().collect::<Vec<_>>(),
        [("encrypted_regex", "^(data|stringData)$")]
    );
    assert_eq!(rule.place.line, Some(2));
}

#[test]
fn the_first_rule_that_matches_is_taken_by_the_path_below_the_configuration() {
    let config = config(
        "creation_rules:\n- {path_regex: ^secrets/, age: ONE}\n- {path_regex: '^/elsewhere/', age: TWO}\n- {path_regex: \
         \\.json$, age: SSH}\n",
    );
    for (file, expected) in [
        ("/repo/secrets/a.json", Some("ONE")),
        ("/repo/x/../secrets/./a", Some("ONE")),
        ("/repo/x/secrets/a", None),
        ("/repository/secrets/a", None),
        ("/elsewhere/secrets/a", Some("TWO")),
        ("/repo/elsewhere/a", None),
        ("/other/a.json", Some("SSH")),
    ] {
        match (config.rule_for(Path::new(file)), expected) {
            (Ok(rule), Some(expected)) => {
                assert_eq!(rule.groups[0][0].key.text, text(expected), "{file}")
            }
            (Err(error), None) => assert_eq!(error.code(), ErrorCode::ConfigNoRule, "{file}"),
            (result, _) => panic!("{file}: {result:?}"),
        }
    }
    let error = config.rule_for(Path::new("/repo/a/b")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/repo/.sops.yaml: no creation rule matches a/b"
    );
}

#[test]
fn a_pattern_that_does_not_compile_is_an_error_once_it_is_reached() {
    let config =
        config("creation_rules:\n- {path_regex: ^a$, age: ONE}\n- path_regex: '('\n  age: ONE\n");
    assert!(config.rule_for(Path::new("/repo/a")).is_ok());
    let error = config.rule_for(Path::new("/repo/b")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigInvalid);
    let text = error.to_string();
    assert!(
        text.starts_with("/repo/.sops.yaml, line 3: path_regex: the pattern `(` cannot be used: "),
        "{text}"
    );
}

#[test]
fn a_file_without_rules_is_told_from_one_without_a_match() {
    for empty in [
        "",
        "# nothing\n",
        "---\n",
        "keys:\n- &a ONE\n",
        "creation_rules:\n",
        "creation_rules: null\n",
        "destination_rules: []\n",
    ] {
        let config = config(empty);
        let error = config.rule_for(Path::new("/repo/a")).unwrap_err();
        assert_eq!(
            (error.code(), config.has_rules()),
            (ErrorCode::ConfigMissing, false),
            "{empty:?}"
        );
    }
    let error = config("creation_rules: []\n")
        .rule_for(Path::new("/repo/a"))
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigNoRule);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (shape, expected) in [
        (
            "creation_rules:\n- age: ONE\n  encrypted_regx: a\n",
            "line 3: unknown key `encrypted_regx` in a creation rule, did you mean `encrypted_regex`?",
        ),
        (
            "creation_rules:\n- age: ONE\n  hc_vault: []\n",
            "line 3: unknown key `hc_vault` in a creation rule",
        ),
        (
            "x: &x\n  age: ONE\n  colour: red\ncreation_rules:\n- <<: *x\n",
            "line 3: unknown key `colour` in a creation rule",
        ),
        (
            "creation_rules:\n- key_groups:\n  - agee: [ONE]\n",
            "line 3: unknown key `agee` in a key group, did you mean `age`?",
        ),
        (
            "creation_rules:\n- key_groups:\n  - merge:\n    - pgpp: []\n",
            "line 4: unknown key `pgpp` in a key group, did you mean `pgp`?",
        ),
        (
            "creation_rules:\n- key_groups:\n  - kms:\n    - arm: a\n",
            "line 4: unknown key `arm` in a key, did you mean `arn`?",
        ),
        (
            "stores:\n  yml:\n    indent: 2\n",
            "line 2: unknown key `yml` in `stores`, did you mean `yaml`?",
        ),
        (
            "stores:\n  yaml:\n    ident: 2\n",
            "line 3: unknown key `ident` in the options of a store, did you mean `indent`?",
        ),
        (
            "stores:\n  dotenv: {indent: 2}\n",
            "line 2: unknown key `indent` in the options of a store",
        ),
        (
            "creation_rules: x\n",
            "line 1: `creation_rules` is not a list",
        ),
        (
            "creation_rules:\n- x\n",
            "line 2: `a creation rule` is not a map",
        ),
        (
            "creation_rules:\n- age: 5\n",
            "line 2: `age` is not text, or a list of texts",
        ),
        (
            "creation_rules:\n- age: {a: b}\n",
            "line 2: `age` is not text, or a list of texts",
        ),
        (
            "creation_rules:\n- age:\n  - [x]\n",
            "line 3: `age` is not a list of texts",
        ),
        (
            "creation_rules:\n- age: [ONE, null]\n",
            "line 2: `age` is not a list of texts",
        ),
        (
            "creation_rules:\n- hckms: x\n",
            "line 2: `hckms` is not a list",
        ),
        (
            "creation_rules:\n- key_groups:\n  - age: ONE\n",
            "line 3: `age` is not a list",
        ),
        (
            "creation_rules:\n- key_groups: {}\n",
            "line 2: `key_groups` is not a list",
        ),
        (
            "creation_rules:\n- path_regex: [a]\n",
            "line 2: `path_regex` is not text",
        ),
        (
            "creation_rules:\n- shamir_threshold: two\n",
            "line 2: `shamir_threshold` is not a whole number",
        ),
        (
            "creation_rules:\n- shamir_threshold: -1\n",
            "line 2: `shamir_threshold` is not a number of groups",
        ),
        (
            "creation_rules:\n- mac_only_encrypted: perhaps\n",
            "line 2: `mac_only_encrypted` is not true or false",
        ),
        (
            "creation_rules:\n- encrypted_regex: a\n  age: ONE\n  encrypted_suffix: b\n",
            "line 4: cannot use more than one of encrypted_suffix, encrypted_regex for the same rule",
        ),
        (
            "creation_rules:\n- age: AGE-SECRET-KEY-1QQQ\n",
            "line 2: a private key stands where a recipient is due",
        ),
        (
            "destination_rules: {}\n",
            "line 1: `destination_rules` is not a list",
        ),
        (
            "destination_rules:\n- vault_kv_version: two\n",
            "line 2: `vault_kv_version` is not a whole number",
        ),
        (
            "destination_rules:\n- recreation_rule: {agee: ONE}\n",
            "line 2: unknown key `agee` in a recreation rule, did you mean `age`?",
        ),
        (
            "stores:\n  yaml: {indent: -1}\n",
            "line 2: `indent` is not a number of spaces",
        ),
        ("- a\n", "line 1: the top level is not a map"),
        ("a: *b\n", "line 1: unknown anchor `b`"),
        ("a: 1\na: 2\n", "line 2: the key `a` is already in this map"),
        (
            "creation_rules:\n\t- age: x\n",
            "line 2: a tab cannot be used for indentation",
        ),
    ] {
        assert_invalid(shape, expected);
    }
}

#[test]
fn a_private_key_is_in_no_text() {
    let error = parse("creation_rules:\n- age: AGE-SECRET-KEY-1QQQ\n").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("1QQQ"));
}

#[test]
fn groups_that_merge_each_other_without_end_are_refused() {
    let mut bomb = String::from("g0: &g0 {age: [ONE]}\n");
    for level in 1..40 {
        let below = level - 1;
        bomb += &format!("g{level}: &g{level} {{merge: [*g{below}, *g{below}]}}\n");
    }
    bomb += "creation_rules:\n- key_groups: [*g39]\n";
    let error = parse(&bomb).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("aliases expand to too many nodes"),
        "{error}"
    );
    let mut bomb = String::from("m0: &m0 {age: ONE}\n");
    for level in 1..40 {
        let below = level - 1;
        bomb += &format!("m{level}: &m{level}\n  <<: [*m{below}, *m{below}]\n");
    }
    bomb += "creation_rules:\n- <<: *m39\n";
    let error = parse(&bomb).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("aliases expand to too many nodes"),
        "{error}"
    );
    let deep = "{merge: [".repeat(100) + &"]}".repeat(100);
    let error = parse(&format!("creation_rules:\n- key_groups: [{deep}]\n")).unwrap_err();
    assert!(error.to_string().contains("nested deeper"), "{error}");
}

#[test]
fn what_is_only_strange_is_a_note() {
    let notes = |template: &str| -> Vec<String> {
        config(template)
            .notes()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(
        notes("creation_rule:\n- age: ONE\nkeys: []\nx-stores: 1\n"),
        [
            "/repo/.sops.yaml, line 1: the key `creation_rule` means nothing here, did you mean `creation_rules`?"
        ]
    );
    assert_eq!(
        notes("creation_rules:\n- key_groups: [{age: [ONE]}]\n  age: TWO\n  pgp: ''\n"),
        [
            "/repo/.sops.yaml, line 3: `age` counts for nothing beside `key_groups`; the file is not sealed to these keys"
        ]
    );
    assert_eq!(
        notes("creation_rules: []\n---\ncreation_rules:\n- age: ONE\n"),
        ["/repo/.sops.yaml, line 2: a second YAML document begins; only the first is read"]
    );
}

#[test]
fn stores_say_how_text_is_laid_out() {
    let stores = config(
        "stores:\n  yaml: {indent: 2}\n  json:\n    indent: -1\n  json_binary:\n  dotenv: {}\n",
    )
    .stores();
    assert_eq!(
        (
            stores.yaml_indent,
            stores.json_indent,
            stores.json_binary_indent
        ),
        (Some(2), Some(-1), None)
    );
}

#[test]
fn recipients_have_the_names_of_their_anchors_or_comments() {
    let config = config(
        "keys:\n  - &host ONE # in the cellar\n  - TWO # paper key\nmore: &ssh SSH\ncreation_rules:\n- key_groups:\n  - age:\n    \
         - *host # not a name\n    - TWO # another comment\n",
    );
    assert_eq!(config.names().of(ONE), Some("&host"));
    assert_eq!(config.names().of(TWO), Some("paper key"));
    assert_eq!(config.names().of(SSH), Some("&ssh"));
    assert_eq!(config.names().describe(ONE), "age10a73gefn… (&host)");
}

fn resolve(template: &str, request: &PolicyRequest) -> Result<Policy, PolicyError> {
    let config = config(template);
    Policy::resolve(
        Some(config.rule_for(Path::new("/repo/f")).unwrap()),
        request,
    )
}

fn keys_of(policy: &Policy) -> Vec<&str> {
    policy.groups[0]
        .iter()
        .map(|key| key.text.as_str())
        .collect()
}

#[test]
fn the_request_wins_over_the_rule_setting_by_setting() {
    const RULE: &str =
        "creation_rules:\n- age: ONE\n  encrypted_regex: ^a\n  mac_only_encrypted: true\n";
    let policy = resolve(RULE, &PolicyRequest::default()).unwrap();
    assert_eq!(keys_of(&policy), [ONE]);
    assert_eq!(policy.selection.to_string(), "encrypted_regex: ^a");
    assert!(policy.mac_only_encrypted);

    let mut request = PolicyRequest::default();
    request.add_keys(KeyKind::Age, &format!(" {TWO},, "));
    request.selection.encrypted_regex = Some("^b".into());
    let policy = resolve(RULE, &request).unwrap();
    assert_eq!(keys_of(&policy), [TWO]);
    assert_eq!(policy.selection.to_string(), "encrypted_regex: ^b");
    assert_eq!(keys_of(&Policy::resolve(None, &request).unwrap()), [TWO]);

    let nothing = resolve("creation_rules:\n- age: ONE\n", &PolicyRequest::default()).unwrap();
    assert_eq!(
        nothing.selection.to_string(),
        "unencrypted_suffix: _unencrypted"
    );
}

#[test]
fn a_pattern_of_a_request_is_not_put_down_to_the_rule() {
    let mut request = PolicyRequest::default();
    request.selection.encrypted_regex = Some("(".into());
    let rule = "creation_rules:\n- age: ONE\n  encrypted_regex: ^a\n";
    let error = resolve(rule, &request).unwrap_err();
    assert_eq!(error.code(), ErrorCode::SelectionInvalid);
    let text = error.to_string();
    assert!(
        text.starts_with("encrypted_regex: the pattern `(` cannot be used: "),
        "{text}"
    );
}

#[test]
fn settings_that_exclude_each_other_are_an_error_of_their_own() {
    let request = PolicyRequest {
        selection: SelectionSettings {
            unencrypted_suffix: Some("_u".into()),
            ..SelectionSettings::default()
        },
        ..PolicyRequest::default()
    };
    let error = resolve(
        "creation_rules:\n- age: ONE\n  encrypted_regex: a\n",
        &request,
    )
    .unwrap_err();
    assert_eq!(
        error,
        PolicyError::ConflictingSelection(vec!["unencrypted_suffix", "encrypted_regex"])
    );
}

#[test]
fn what_would_make_another_file_than_the_rule_asks_for_is_refused_by_name() {
    for (shape, code, expected) in [
        (
            "creation_rules:\n- age: ONE\n  encrypted_regex: (\n",
            ErrorCode::SelectionInvalid,
            "/repo/.sops.yaml, line 3: encrypted_regex: the pattern `(` cannot be used: ",
        ),
        (
            "x: &x\n  unencrypted_comment_regex: (\ncreation_rules:\n- <<: *x\n  age: ONE\n",
            ErrorCode::SelectionInvalid,
            "/repo/.sops.yaml, line 2: unencrypted_comment_regex: the pattern `(` cannot be used: ",
        ),
        (
            "creation_rules:\n- path_regex: .\n",
            ErrorCode::NoRecipients,
            "/repo/.sops.yaml, line 2: the rule has a group without keys",
        ),
        (
            "creation_rules:\n- key_groups: [{age: [ONE]}, {age: []}]\n",
            ErrorCode::NoRecipients,
            "/repo/.sops.yaml, line 2: the rule has a group without keys",
        ),
        (
            "creation_rules:\n- age:\n  - ONE\n  - bob\n",
            ErrorCode::RecipientInvalid,
            "/repo/.sops.yaml, line 4: unknown recipient type: \"bob\"",
        ),
        (
            "keys:\n- &bob age1bob\ncreation_rules:\n- age: [*bob]\n",
            ErrorCode::RecipientInvalid,
            "/repo/.sops.yaml, line 2: recipient \"age1bob\" is damaged",
        ),
        (
            "creation_rules:\n- age: ONE,age1yubikey1qwt50d05\n",
            ErrorCode::NotBuilt,
            "/repo/.sops.yaml, line 2: recipient \"age1yubikey1qwt50d05\": age plugin yubikey recipients",
        ),
        (
            "creation_rules:\n- age: ONE\n  pgp: F\n",
            ErrorCode::NotBuilt,
            "the rule asks for a key of kind `pgp`, which",
        ),
        (
            "creation_rules:\n- shamir_threshold: 1\n  key_groups: [{age: [ONE]}, {age: [TWO]}]\n",
            ErrorCode::ConfigInvalid,
            "/repo/.sops.yaml, line 2: the threshold is 1, and",
        ),
        (
            "creation_rules:\n- shamir_threshold: 3\n  key_groups: [{age: [ONE]}, {age: [TWO]}]\n",
            ErrorCode::ConfigInvalid,
            "/repo/.sops.yaml, line 2: a threshold of 3 can never be reached with 2 key groups",
        ),
        (
            "creation_rules:\n- key_groups: [{age: [ONE]}, {pgp: [F]}]\n",
            ErrorCode::NotBuilt,
            "the rule asks for a key of kind `pgp`, which",
        ),
    ] {
        let error = resolve(shape, &PolicyRequest::default()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let error = Policy::resolve(None, &PolicyRequest::default()).unwrap_err();
    assert_eq!(
        (&error, error.code()),
        (&PolicyError::NoKeys, ErrorCode::ConfigMissing)
    );
}

#[test]
fn the_threshold_of_a_request_goes_before_that_of_the_rule() {
    let rule =
        "creation_rules:\n- shamir_threshold: 3\n  key_groups: [{age: [ONE]}, {age: [TWO]}]\n";
    let asked = |threshold| PolicyRequest {
        threshold: Some(threshold),
        ..PolicyRequest::default()
    };
    assert_eq!(resolve(rule, &asked(2)).unwrap().threshold, Some(2));
    // Zero is what sops takes for none.
    let error = resolve(rule, &asked(0)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigInvalid);
    let error = resolve(rule, &asked(1)).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Usage);
    assert!(
        error.to_string().starts_with("the threshold is 1"),
        "{error}"
    );
}

#[test]
fn a_threshold_of_a_single_group_is_kept_and_known_to_be_idle() {
    let resolve = |threshold: u32| {
        let rule = format!("creation_rules:\n- shamir_threshold: {threshold}\n  age: ONE,TWO\n");
        resolve(&rule, &PolicyRequest::default()).unwrap()
    };
    assert_eq!(
        (resolve(2).threshold, resolve(2).idle_threshold()),
        (Some(2), Some(2))
    );
    assert_eq!(
        (resolve(1).threshold, resolve(1).idle_threshold()),
        (Some(1), None)
    );
}

#[test]
fn the_configuration_is_searched_upwards_under_one_name_only() {
    let root = tempfile::tempdir().unwrap();
    let deep = root.path().join("a/b/c");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(root.path().join("a/b/.sops.yml"), "creation_rules: []\n").unwrap();
    assert_notes(
        &Config::discover(&deep).unwrap(),
        None,
        &[format!(
            "ignoring \"{0}/a/b/.sops.yml\" when searching for config file; the config file must be called \".sops.yaml\"",
            root.path().display()
        )],
    );

    let path = root.path().join(".sops.yaml");
    std::fs::write(&path, "creation_rule: []\n").unwrap();
    assert_notes(
        &Config::discover(&deep).unwrap(),
        Some(&path),
        &[
            format!(
                "ignoring \"{0}/a/b/.sops.yml\" when searching for config file; the config file must be called \
                 \".sops.yaml\"; using \"{0}/.sops.yaml\" instead",
                root.path().display()
            ),
            format!(
                "{}, line 1: the key `creation_rule` means nothing here, did you mean `creation_rules`?",
                path.display()
            ),
        ],
    );

    std::fs::write(deep.join(".sops.yaml"), "creation_rules: [{age: x}]\n").unwrap();
    assert_notes(
        &Config::discover(&deep).unwrap(),
        Some(&deep.join(".sops.yaml")),
        &[],
    );
}

#[track_caller]
fn assert_notes(discovered: &Discovered, path: Option<&Path>, notes: &[String]) {
    assert_eq!(discovered.config.as_ref().map(Config::path), path);
    let found: Vec<String> = discovered.notes.iter().map(ToString::to_string).collect();
    assert_eq!(found, notes);
}

#[test]
fn a_configuration_that_cannot_be_read_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(".sops.yaml");
    let error = Config::read(&path).unwrap_err();
    assert_eq!(error.code(), ErrorCode::FileMissing);
    std::fs::create_dir(&path).unwrap();
    let error = Config::discover(root.path()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::FileUnreadable);
    assert!(error.to_string().contains(".sops.yaml"), "{error}");
}
