use std::path::Path;

use super::*;

const MANIFEST: &str = "/etc/ccsec/manifest.json";

fn manifest_with(change: impl FnOnce(&mut serde_json::Value)) -> Manifest {
    let mut json = serde_json::json!({
        "secretsMountPoint": "/run/secrets.d",
        "symlinkPath": "/run/secrets",
        "ageKeyFile": "/var/lib/keys/key.txt",
        "secrets": [{
            "name": "a", "key": "a", "mode": "0400", "format": "yaml",
            "sopsFile": "../secrets/s.yaml",
        }],
    });
    change(&mut json);
    Manifest::parse(json.to_string().as_bytes(), "/etc/ccsec").unwrap()
}

fn at(path: &'static str) -> Manifest {
    manifest_with(|json| json["secrets"][0]["path"] = path.into())
}

fn telling(units: &[&str]) -> Manifest {
    manifest_with(|json| json["secrets"][0]["restartUnits"] = units.into())
}

fn wish() -> UnitWish<'static> {
    UnitWish::new(Path::new("/usr/bin/ccsec"), Path::new(MANIFEST))
}

fn made(manifest: &Manifest) -> UnitFiles {
    units_of(manifest, &wish()).unwrap()
}

/// The text of a file, without the mark.
fn text_of<'f>(made: &'f UnitFiles, path: &str) -> &'f str {
    let mut files = made.files.iter();
    let file = files.find(|file| file.path == Path::new(path));
    let text = &file.unwrap_or_else(|| panic!("no {path}")).text;
    text.split_once('\n').unwrap().1
}

fn service_of(made: &UnitFiles) -> &str {
    text_of(made, &made.service)
}

/// All values of a setting.
fn values<'t>(text: &'t str, setting: &str) -> Vec<&'t str> {
    let lines = text.lines();
    lines
        .filter_map(|line| line.strip_prefix(setting)?.strip_prefix('='))
        .collect()
}

fn paths(made: &UnitFiles) -> Vec<&str> {
    let files = made.files.iter();
    files.map(|file| file.path.to_str().unwrap()).collect()
}

#[test]
fn a_manifest_gets_a_service_a_mount_tmpfiles_and_the_target() {
    let made = made(&manifest_with(|_| {}));
    assert_eq!(made.kind, UnitKind::System);
    assert_eq!(
        paths(&made),
        [
            "ccsec-activate.service",
            "run-secrets.d.mount",
            "ccsec-activate.conf",
            "ccsec-secrets.target"
        ]
    );
    assert!(
        made.files
            .iter()
            .all(|file| is_marked(file.text.as_bytes()))
    );
    assert_eq!(made.notes, []);
}

#[test]
fn reloading_runs_the_same_command() {
    let made = made(&manifest_with(|_| {}));
    let service = service_of(&made);
    let command = ["/usr/bin/ccsec activate /etc/ccsec/manifest.json"];
    assert_eq!(values(service, "ExecStart"), command);
    assert_eq!(values(service, "ExecReload"), command);
    assert!(values(service, "ConditionPathExists").is_empty());
}

#[test]
fn everything_that_is_read_or_written_is_mounted_first() {
    let made = made(&at("/srv/proxy/live/key.pem"));
    assert_eq!(
        values(service_of(&made), "RequiresMountsFor"),
        [
            "/etc/ccsec/manifest.json",
            "/etc/secrets",
            "/run/secrets.d",
            "/srv/proxy/live",
            "/var/lib/ccsec",
            "/var/lib/keys/key.txt"
        ]
    );
}

#[test]
fn only_targets_outside_of_run_are_opened_and_made() {
    let made = made(&at("/srv/proxy/live/key.pem"));
    let writable = values(service_of(&made), "ReadWritePaths");
    assert_eq!(writable, ["-/run", "-/srv/proxy/live"]);
    assert_eq!(
        text_of(&made, "ccsec-activate.conf"),
        "d /var/lib/ccsec 0700 root root - -\nd /srv/proxy/live - - - - -\n"
    );
    let inside = units_of(&at("/run/proxy/key.pem"), &wish()).unwrap();
    assert_eq!(values(service_of(&inside), "ReadWritePaths"), ["-/run"]);
}

#[test]
fn directories_that_are_there_keep_mode_and_owner() {
    let made = made(&manifest_with(|json| {
        json["secrets"][0]["path"] = "/srv/proxy/key.pem".into();
        json["secrets"][0]["dirMode"] = "0750".into();
        json["secrets"][0]["dirGroup"] = "proxy".into();
    }));
    let lines = text_of(&made, "ccsec-activate.conf");
    // The colon: only for a directory that is made.
    assert!(
        lines.ends_with("d /srv/proxy :0750 - :proxy - -\n"),
        "{lines}"
    );
}

#[test]
fn where_links_lie_that_are_to_go_can_be_written_to() {
    let mut wish = wish();
    wish.also_writable = ["/srv/old".into(), "/run/old".into()].into();
    let made = units_of(&manifest_with(|_| {}), &wish).unwrap();
    let writable = values(service_of(&made), "ReadWritePaths");
    assert_eq!(writable, ["-/run", "-/srv/old"]);
}

#[test]
fn a_mount_and_a_link_outside_of_run_can_be_written_to() {
    let made = made(&manifest_with(|json| {
        json["secretsMountPoint"] = "/srv/secrets.d".into();
        json["symlinkPath"] = "/srv/links/secrets".into();
    }));
    assert_eq!(
        values(service_of(&made), "ReadWritePaths"),
        ["-/run", "-/srv/links", "-/srv/secrets.d"]
    );
}

// systemd-escape --path says the same (see the test of the command).
#[test]
fn mount_units_are_named_as_systemd_wants_them() {
    let names = [
        ("/run/secrets.d", "run-secrets.d"),
        (
            "/run/secrets-for-users.d",
            "run-secrets\\x2dfor\\x2dusers.d",
        ),
        ("/.a b/ü", "\\x2ea\\x20b-\\xc3\\xbc"),
        ("/", "-"),
    ];
    for (path, name) in names {
        assert_eq!(text::escaped_path(path), name);
    }
}

#[test]
fn a_tmpfs_is_mounted_by_the_service_which_then_has_no_namespace() {
    let made = made(&manifest_with(|json| json["useTmpfs"] = true.into()));
    assert!(!paths(&made).contains(&"run-secrets.d.mount"));
    assert_eq!(made.notes, [UnitNote::Unconfined]);
    let service = service_of(&made);
    for setting in [
        "PrivateDevices",
        "PrivateNetwork",
        "PrivateTmp",
        "ProtectHome",
        "ProtectKernelLogs",
        "ProtectKernelTunables",
        "ProtectProc",
        "ProtectSystem",
        "ReadWritePaths",
    ] {
        assert_eq!(values(service, setting), Vec::<&str>::new(), "{setting}");
    }
    let capabilities = values(service, "CapabilityBoundingSet");
    assert!(capabilities[0].ends_with(" CAP_SYS_ADMIN"));
    assert_eq!(
        values(service, "SystemCallFilter"),
        ["@system-service @mount", "~@resources"]
    );
}

#[test]
fn a_directory_that_is_somebody_elses_business_is_not_mounted() {
    let made = made(&manifest_with(|json| json["mount"] = "none".into()));
    assert!(!paths(&made).contains(&"run-secrets.d.mount"));
    assert_eq!(values(service_of(&made), "ProtectSystem"), ["strict"]);
}

fn for_users(json: &mut serde_json::Value) {
    json["secretsMountPoint"] = "/run/secrets-for-users.d".into();
    json["symlinkPath"] = "/run/secrets-for-users".into();
    json["secrets"][0]["neededForUsers"] = true.into();
}

// Whatever waits for one of these waits for sysusers, which waits for this service: systemd leaves one of them out.
#[test]
fn secrets_for_users_wait_for_nothing_that_waits_for_users() {
    let made = made(&manifest_with(for_users));
    assert_eq!(made.kind, UnitKind::ForUsers);
    assert_eq!(made.service, "ccsec-activate-for-users.service");
    let service = service_of(&made);
    let mounts = values(service, "RequiresMountsFor");
    assert_eq!(mounts, ["/run/secrets-for-users.d"]);
    assert_eq!(values(service, "After"), ["systemd-remount-fs.service"]);
    for setting in ["PrivateTmp", "StateDirectory"] {
        assert_eq!(values(service, setting), Vec::<&str>::new(), "{setting}");
    }
    let mount = text_of(&made, "run-secrets\\x2dfor\\x2dusers.d.mount");
    assert_eq!(values(mount, "DefaultDependencies"), ["no"]);
}

#[test]
fn secrets_for_users_are_known_by_the_manifest_or_by_the_wish() {
    let mixed = manifest_with(|json| {
        for_users(json);
        let mut other = json["secrets"][0].clone();
        other["name"] = "b".into();
        other["neededForUsers"] = false.into();
        json["secrets"].as_array_mut().unwrap().push(other);
    });
    let said = made(&mixed);
    assert_eq!(said.kind, UnitKind::System);
    assert_eq!(said.notes, [UnitNote::MixedForUsers]);
    let mut wish = wish();
    wish.for_users = true;
    let said = units_of(&mixed, &wish).unwrap();
    assert_eq!(said.kind, UnitKind::ForUsers);
    let early = manifest_with(|json| {
        for_users(json);
        json["secrets"][0]["path"] = "/srv/early/a".into();
    });
    assert_eq!(
        made(&early).notes,
        [UnitNote::EarlyTarget("/srv/early".into())]
    );
}

#[test]
fn a_user_gets_a_service_and_nothing_that_only_root_may() {
    let made = made(&manifest_with(|json| {
        json["userMode"] = true.into();
        json["secretsMountPoint"] = "%r/secrets.d".into();
        json["symlinkPath"] = "%r/secrets".into();
        json["secrets"][0]["restartUnits"] = ["mail.service"].as_slice().into();
    }));
    assert_eq!(made.kind, UnitKind::User);
    assert_eq!(
        paths(&made),
        [
            "ccsec-activate.service",
            "mail.service.d/50-ccsec-activate.conf"
        ]
    );
    let service = service_of(&made);
    assert_eq!(values(service, "WantedBy"), ["default.target"]);
    assert_eq!(values(service, "ProtectSystem"), Vec::<&str>::new());
}

#[test]
fn each_unit_that_is_named_waits_for_the_secrets() {
    let made = made(&manifest_with(|json| {
        json["secrets"][0]["restartUnits"] = ["proxy", "proxy.service", "w\\x2da@1.socket"]
            .as_slice()
            .into();
        json["secrets"][0]["reloadUnits"] = ["shop@*.service"].as_slice().into();
    }));
    assert_eq!(
        paths(&made)[4..],
        [
            "proxy.service.d/50-ccsec-activate.conf",
            "shop@.service.d/50-ccsec-activate.conf",
            "w\\x2da@1.socket.d/50-ccsec-activate.conf",
        ]
    );
    assert_eq!(
        text_of(&made, "proxy.service.d/50-ccsec-activate.conf"),
        "[Unit]\nRequires=ccsec-activate.service\nAfter=ccsec-activate.service\n"
    );
    assert_eq!(made.notes, []);
}

#[test]
fn nothing_is_added_to_patterns_and_to_the_service_itself_and_when_that_is_the_wish() {
    let patterns = made(&telling(&["a*.service"]));
    assert_eq!(paths(&patterns).len(), 4);
    assert_eq!(patterns.notes, [UnitNote::NotOneUnit("a*.service".into())]);
    let itself = made(&telling(&["ccsec-activate"]));
    assert_eq!(paths(&itself).len(), 4);
    let mut wish = wish();
    wish.drop_ins = false;
    let left_alone = units_of(&telling(&["proxy.service"]), &wish).unwrap();
    assert_eq!(paths(&left_alone).len(), 4);
}

#[test]
fn odd_paths_are_written_so_that_systemd_reads_them_back() {
    let odd = "/srv/a b/50%/\"q\"/back\\slash/$HOME";
    assert_eq!(
        text::word(odd).unwrap(),
        r#""/srv/a b/50%%/\"q\"/back\\slash/$HOME""#
    );
    assert_eq!(
        text::argument(odd).unwrap(),
        r#""/srv/a b/50%%/\"q\"/back\\slash/$$HOME""#
    );
    assert_eq!(text::line("/srv/a b/50%").unwrap(), "/srv/a b/50%%");
    for bad in ["/a\nb", "/a\tb"] {
        assert!(text::word(bad).is_err(), "{bad:?}");
    }
    for bad in ["/a\\", "/a ", "/a\nb"] {
        assert!(text::line(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_path_that_no_unit_can_have_is_refused() {
    let error = units_of(&at("/srv/a\nExecStart=/b/c"), &wish()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ManifestInvalid);
    let mut relative = wish();
    relative.program = Path::new("ccsec");
    let error = units_of(&at("/srv/a"), &relative).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Usage);
}

#[test]
fn names_are_those_of_units_or_refused() {
    for good in ["a.service", "-.mount", "a@.service", "a@b\\x2d.service"] {
        assert!(is_unit_name(good), "{good}");
    }
    for bad in [
        "a",
        "a.conf",
        ".service",
        "@a.service",
        "a b.service",
        "a/b.service",
        "ü.service",
        "a*.service",
    ] {
        assert!(!is_unit_name(bad), "{bad}");
    }
    let refused = |change: &dyn Fn(&mut UnitWish<'static>)| {
        let mut wish = wish();
        change(&mut wish);
        units_of(&at("/srv/a"), &wish).err()
    };
    let bad = |name: &str| Some(UnitError::BadName(name.into()));
    assert_eq!(
        refused(&|wish| wish.name = Some("a/../b")),
        bad("a/../b.service")
    );
    assert_eq!(refused(&|wish| wish.on_failure = Some("mail")), bad("mail"));
    assert_eq!(
        refused(&|wish| wish.on_failure = Some("mail@%n.service")),
        None
    );
}

#[test]
fn what_private_directories_would_hide_is_left_in_view() {
    let settings = |path| {
        let made = made(&at(path));
        ["PrivateTmp", "PrivateDevices"].map(|name| values(service_of(&made), name).len())
    };
    assert_eq!(settings("/srv/a"), [1, 1]);
    assert_eq!(settings("/tmp/a"), [0, 1]);
    assert_eq!(settings("/var/tmp/x/a"), [0, 1]);
    assert_eq!(settings("/dev/shm/a"), [1, 0]);
}

#[test]
fn what_comes_over_the_network_waits_for_it() {
    let mut wish = wish();
    wish.network = true;
    let made = units_of(&at("/srv/a"), &wish).unwrap();
    let service = service_of(&made);
    assert_eq!(values(service, "PrivateNetwork"), Vec::<&str>::new());
    assert_eq!(values(service, "DefaultDependencies"), Vec::<&str>::new());
    assert_eq!(values(service, "Before"), ["ccsec-secrets.target"]);
    assert_eq!(values(service, "TimeoutStartSec"), ["300"]);
    assert_eq!(values(service, "WantedBy"), ["multi-user.target"]);
}

#[test]
fn the_target_is_the_same_for_every_manifest() {
    let one = made(&manifest_with(|_| {}));
    let two = made(&manifest_with(for_users));
    assert_eq!(text_of(&one, SECRETS_TARGET), text_of(&two, SECRETS_TARGET));
}

fn giving(credentials: &serde_json::Value) -> Manifest {
    manifest_with(|json| {
        json["secrets"][0]["restartUnits"] = ["web.service"].as_slice().into();
        json["credentials"] = credentials.clone();
    })
}

#[test]
fn units_that_are_given_credentials_ask_for_them() {
    let made = made(&giving(&serde_json::json!([
        {"unit": "web.service", "name": "token", "secret": "a"},
        {"unit": "job@*.service", "name": "50%", "secret": "a"},
        {"unit": "job@*.service", "name": "more", "secret": "a"},
        {"unit": "in.socket", "name": "key", "secret": "a"},
    ])));
    assert_eq!(
        paths(&made)[4..],
        [
            CREDENTIALS_SOCKET,
            CREDENTIALS_SERVICE,
            "in.socket.d/50-ccsec-activate.conf",
            "job@.service.d/50-ccsec-activate.conf",
            "web.service.d/50-ccsec-activate.conf",
        ]
    );
    assert_eq!(
        text_of(&made, "job@.service.d/50-ccsec-activate.conf"),
        "[Unit]\nWants=ccsec-creds.socket\nAfter=ccsec-creds.socket\n\n[Service]\n\
         LoadCredential=50%%:/run/ccsec/creds.sock\nLoadCredential=more:/run/ccsec/creds.sock\n"
    );
    assert_eq!(
        text_of(&made, "web.service.d/50-ccsec-activate.conf"),
        "[Unit]\nRequires=ccsec-activate.service\nAfter=ccsec-activate.service\n\
         Wants=ccsec-creds.socket\nAfter=ccsec-creds.socket\n\n[Service]\nLoadCredential=token:/run/ccsec/creds.sock\n"
    );
    let socket = text_of(&made, "in.socket.d/50-ccsec-activate.conf");
    assert!(socket.contains("[Socket]\nLoadCredential=key:"), "{socket}");
}

// Where the activation has failed somebody has to be there and refuse.
#[test]
fn what_gives_out_credentials_comes_after_the_activation_and_does_not_need_it() {
    let manifest = giving(&serde_json::json!([
        {"unit": "web.service", "name": "token", "secret": "a"},
    ]));
    let mut wish = wish();
    wish.name = Some("host");
    wish.program = Path::new("/opt/a b/ccsec");
    let made = units_of(&manifest, &wish).unwrap();
    let service = text_of(&made, CREDENTIALS_SERVICE);
    assert_eq!(values(service, "After"), ["host.service"]);
    for setting in ["Requires", "BindsTo", "Requisite"] {
        assert_eq!(values(service, setting), Vec::<&str>::new(), "{setting}");
    }
    let command = ["\"/opt/a b/ccsec\" creds-serve /etc/ccsec/manifest.json"];
    assert_eq!(values(service, "ExecStart"), command);
}

#[test]
fn who_adds_nothing_to_units_adds_no_credentials_and_users_are_given_none() {
    let entries = serde_json::json!([{"unit": "web.service", "name": "token", "secret": "a"}]);
    let mut wish = wish();
    wish.drop_ins = false;
    let left_alone = units_of(&giving(&entries), &wish).unwrap();
    assert_eq!(
        paths(&left_alone)[4..],
        [CREDENTIALS_SOCKET, CREDENTIALS_SERVICE]
    );
    let of_user = made(&manifest_with(|json| {
        json["userMode"] = true.into();
        json["secretsMountPoint"] = "%r/secrets.d".into();
        json["symlinkPath"] = "%r/secrets".into();
        json["credentials"] = entries;
    }));
    assert_eq!(paths(&of_user), ["ccsec-activate.service"]);
    assert_eq!(of_user.notes, [UnitNote::CredentialsOfUser]);
}
