//! Secrets of a user, who has nobody's help.

use super::*;
use crate::activation::fault::WarningKind;
use crate::error::ErrorCode;

/// Everything in one directory, of which `run` is the runtime directory.
fn as_user(world: &World, wish: &Wish) -> Result<Receipt, Refusal> {
    let text = wish.manifest.to_string();
    let runtime = world.dir.path().join("run");
    let state = world.dir.path().join("state");
    let reading = crate::activation::manifest::Reading {
        runtime_directory: Some(&runtime),
        ..world.dir.path().into()
    };
    let manifest = Manifest::parse(text.as_bytes(), reading).unwrap();
    let (fs, pause) = (RealFs::new(), wait);
    let mut all = Options::new(&fs, &pause);
    all.state_home = Some(&state);
    transaction::run(&manifest, &all, |accounts| {
        assert!(accounts.is_none(), "nobody is looked up");
        Ok(made_up(&manifest, wish, &Accounts::parse(b"", b"", None)))
    })
}

fn user_wish(world: &World, content: &str) -> Wish {
    let link = world.dir.path().join("config/secrets");
    Wish::new()
        .secret(
            "token",
            content,
            json!({"path": "%r/app/token", "uid": 4711}),
        )
        .with("userMode", json!(true))
        .with("secretsMountPoint", json!("%r/secrets.d"))
        .with("symlinkPath", json!(link))
}

#[test]
fn s45_in_user_mode_everything_is_the_users_own() {
    let world = World::new();
    let runtime = world.dir.path().join("run");
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    for content in ["one", "two"] {
        let receipt = as_user(&world, &user_wish(&world, content)).unwrap();
        assert_no_failed_step(&receipt);
        let told: Vec<WarningKind> = receipt
            .warnings
            .iter()
            .map(|warning| warning.kind)
            .collect();
        assert!(!told.contains(&WarningKind::OwnershipSkipped), "{told:?}");
        assert_eq!(
            fs::read(runtime.join("app/token")).unwrap(),
            content.as_bytes()
        );
    }
    let link = fs::read_link(world.dir.path().join("config/secrets")).unwrap();
    assert_eq!(link, runtime.join("secrets.d/2"));
    for path in ["run/secrets.d/2/token", "run/app/token", "config/secrets"] {
        let facts = fs::symlink_metadata(world.dir.path().join(path)).unwrap();
        assert_eq!((facts.uid(), facts.gid()), own_ids(), "{path}");
    }
    // Its records are there, too, and nowhere else.
    assert!(runtime.join("ccsec/lock").is_file());
    assert!(world.dir.path().join("state/ccsec").is_dir());
}

#[test]
fn s45_a_runtime_directory_that_others_can_enter_is_refused() {
    let world = World::new();
    let refused = |words: &str| {
        let before = world.snapshot();
        let refusal = as_user(&world, &user_wish(&world, "one")).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::ManifestInvalid);
        let text = refusal.faults[0].to_string();
        assert!(
            text.starts_with("/userMode: ") && text.contains(words),
            "{text}"
        );
        assert_eq!(world.snapshot(), before);
    };
    refused("does not exist");
    let runtime = world.dir.path().join("run");
    fs::write(&runtime, "").unwrap();
    refused("is not a directory");
    fs::remove_file(&runtime).unwrap();
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o750)).unwrap();
    refused("0700");
}
