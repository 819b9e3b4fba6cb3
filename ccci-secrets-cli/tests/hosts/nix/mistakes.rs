//! Configurations that cannot be right, and what is said about them.

/// Additions to the host, each with everything that is said.
pub(super) const OF_A_HOST: &[(&str, &[&str])] = &[
    (
        "{ services.ccsec.secrets.test_secret.uid = 1000; }",
        &[r#"secrets."test_secret": owner and uid are both set"#],
    ),
    (
        "{ services.ccsec.templates.\"bridge.env\" = { group = \"web\"; gid = 0; }; }",
        &[r#"templates."bridge.env": group and gid are both set"#],
    ),
    (
        "{ lib, ... }: { services.ccsec.age.sshKeyPaths = lib.mkForce [ ]; }",
        &["nothing opens the secrets"],
    ),
    (
        "{ services.ccsec.age.keyFile = \"${builtins.storeDir}/key.txt\"; }",
        &["key.txt is in the Nix store, where everybody can read it"],
    ),
    (
        "{ services.ccsec.age.generateKey = true; }",
        &["set services.ccsec.age.keyFile"],
    ),
    (
        "{ services.ccsec.gnupg = { home = \"/root/.gnupg\"; sshKeyPaths = [ \"/k\" ]; }; }",
        &["gnupg: home and sshKeyPaths are both set"],
    ),
    (
        "{ services.ccsec.secrets.drone_rpc_secret.owner = \"proxy\"; }",
        &[r#""drone_rpc_secret": what is needed for users is made before them"#],
    ),
    (
        "{ systemd.sysusers.enable = true; users.mutableUsers = false; }",
        &["systemd.sysusers takes passwords only with users.mutableUsers"],
    ),
    (
        "{ services.ccsec.secrets.test_secret.restartUnits = [ \"proxy\" ]; }",
        &[r#"its name has to end as in "proxy.service""#],
    ),
    (
        "{ services.ccsec.templates.empty = { }; }",
        &[r#"templates."empty": set content or file"#],
    ),
    (
        "{ services.ccsec.checks = [ { cert = \"wildcard_cert\"; key = \"gone\"; } ]; }",
        &[r#"checks: there is no secret with the name "gone""#],
    ),
    (
        "{ services.ccsec.checks = [ { cert = \"wildcard_cert\"; key = \"drone_rpc_secret\"; } ]; }",
        &["are not made at the same time"],
    ),
    (
        "{ services.ccsec.credentials = [ { unit = \"a.service\"; name = \"b\"; secret = \"c\"; } ]; }",
        &[r#"credentials: there is no secret with the name "c""#],
    ),
    (
        "{ services.ccsec.secrets.test_secret.sopsFile = ./secrets/missing.yaml; }",
        &["secrets/missing.yaml does not exist"],
    ),
    (
        "{ services.ccsec.secrets.test_secret.sopsFile = \"/etc/passwd\"; }",
        &["/etc/passwd is not in the Nix store"],
    ),
];

/// Additions whose types are wrong, and the option that is named.
pub(super) const OF_TYPE: &[(&str, &str)] = &[
    (
        "{ services.ccsec.secrets.test_secret.mode = \"u=r\"; }",
        "test_secret.mode",
    ),
    (
        "{ services.ccsec.secrets.test_secret.format = \"toml\"; }",
        "test_secret.format",
    ),
    (
        "{ services.ccsec.secrets.test_secret.ownr = \"proxy\"; }",
        "test_secret.ownr",
    ),
    // Without quotes, the key would be copied to the store.
    (
        "{ services.ccsec.age.keyFile = /etc/passwd; }",
        "age.keyFile",
    ),
];
