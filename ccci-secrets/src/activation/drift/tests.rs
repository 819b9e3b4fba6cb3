use super::super::survey::{EntrySeen, LinkPlace};
use super::*;

fn wanted() -> Secret {
    Secret::from_slice(b"content")
}

fn expected(content: ExpectedContent<'_>) -> Expected<'_> {
    Expected {
        files: vec![ExpectedFile {
            name: "a".into(),
            content,
            mode: 0o400,
            uid: 7,
            gid: 8,
            inner: Some("b/a".into()),
        }],
        links: vec![ExpectedLink {
            path: "/srv/a".into(),
            leads: Leads::To("a".into()),
            owner: Some((7, 8)),
        }],
        generation: Some(3),
        mounted: true,
        owners: true,
    }
}

fn link(text: &str, uid: u32, gid: u32) -> PlaceSeen {
    PlaceSeen::Link {
        text: text.into(),
        wanted: "right".into(),
        dangles: false,
        uid,
        gid,
    }
}

fn regular(content: &[u8], mode: u32, uid: u32, gid: u32) -> FileSeen {
    FileSeen::Regular {
        content: Some(Secret::from_slice(content)),
        mode,
        uid,
        gid,
    }
}

/// All is as it should be; `change` spoils it.
fn seen(change: impl FnOnce(&mut Survey)) -> Survey {
    let mut survey = Survey {
        mount: MountSeen {
            path: "/run/secrets.d".into(),
            in_memory: true,
            is_mount_point: true,
            is_closed: true,
            mode: 0o751,
        },
        link_path: "/run/secrets".into(),
        link: LinkSeen::Generation(3),
        files: vec![EntrySeen {
            file: regular(b"content", 0o400, 7, 8),
            inner: Some(link("right", 0, 0)),
        }],
        links: vec![LinkPlace {
            path: "/root/srv/a".into(),
            place: link("right", 7, 8),
        }],
        extra: Vec::new(),
    };
    change(&mut survey);
    survey
}

fn found(expected: &Expected<'_>, change: impl FnOnce(&mut Survey)) -> Vec<(String, DriftClass)> {
    let lines = drift(expected, &seen(change));
    lines
        .into_iter()
        .filter(|line| line.class != DriftClass::Ok)
        .map(|line| (line.subject, line.class))
        .collect()
}

#[track_caller]
fn assert_found(subject: &str, classes: &[DriftClass], change: impl FnOnce(&mut Survey)) {
    let wanted = wanted();
    let expected = expected(ExpectedContent::Bytes(&wanted));
    let classes: Vec<_> = classes
        .iter()
        .map(|class| (subject.to_owned(), *class))
        .collect();
    assert_eq!(found(&expected, change), classes);
}

#[test]
fn everything_that_is_right_has_one_line_that_says_so() {
    let wanted = wanted();
    let lines = drift(&expected(ExpectedContent::Bytes(&wanted)), &seen(|_| ()));
    let subjects: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!(
        subjects,
        ["/run/secrets.d", "/run/secrets", "a", "/root/srv/a"]
    );
    assert!(lines.iter().all(|line| line.class == DriftClass::Ok));
}

#[test]
fn every_way_in_which_a_file_can_differ_has_its_class() {
    use DriftClass::{Content, Extra, Group, LinkMissing, LinkTarget, Missing, Mode, Owner, Type};
    let file = |file: FileSeen| |survey: &mut Survey| survey.files[0].file = file;
    assert_found("a", &[Content], file(regular(b"Content", 0o400, 7, 8)));
    assert_found("a", &[Content], file(regular(b"", 0o400, 7, 8)));
    assert_found("a", &[Mode], file(regular(b"content", 0o440, 7, 8)));
    assert_found("a", &[Owner], file(regular(b"content", 0o400, 0, 8)));
    assert_found("a", &[Group], file(regular(b"content", 0o400, 7, 0)));
    assert_found(
        "a",
        &[Content, Mode, Owner, Group],
        file(regular(b"x", 0, 0, 0)),
    );
    assert_found("a", &[Missing], file(FileSeen::Missing));
    assert_found("a", &[Type], file(FileSeen::NotRegular));
    assert_found("a", &[LinkTarget], |survey| {
        survey.files[0].inner = Some(link("wrong", 0, 0))
    });
    assert_found("a", &[LinkMissing], |survey| {
        survey.files[0].inner = Some(PlaceSeen::Missing)
    });
    assert_found("x", &[Extra], |survey| survey.extra.push("x".into()));
}

#[test]
fn every_way_in_which_a_link_can_differ_has_its_class() {
    use DriftClass::{Group, LinkDangles, LinkMissing, LinkTarget, Owner, StaleGeneration, Type};
    let place = |place: PlaceSeen| |survey: &mut Survey| survey.links[0].place = place;
    assert_found("/root/srv/a", &[LinkTarget], place(link("wrong", 7, 8)));
    assert_found("/root/srv/a", &[Owner], place(link("right", 0, 8)));
    assert_found("/root/srv/a", &[Group], place(link("right", 7, 0)));
    assert_found("/root/srv/a", &[LinkMissing], place(PlaceSeen::Missing));
    assert_found("/root/srv/a", &[Type], place(PlaceSeen::Other));
    let active = |link: LinkSeen| |survey: &mut Survey| survey.link = link;
    assert_found(
        "/run/secrets",
        &[StaleGeneration],
        active(LinkSeen::Generation(2)),
    );
    assert_found(
        "/run/secrets",
        &[LinkTarget],
        active(LinkSeen::Elsewhere {
            text: "/elsewhere".into(),
            dangles: false,
        }),
    );
    assert_found(
        "/run/secrets",
        &[LinkDangles],
        active(LinkSeen::Elsewhere {
            text: "/nowhere".into(),
            dangles: true,
        }),
    );
    assert_found(
        "/run/secrets",
        &[LinkDangles],
        active(LinkSeen::Lost {
            text: "/run/secrets.d/3".into(),
        }),
    );
    assert_found("/run/secrets", &[LinkMissing], active(LinkSeen::Absent));
    assert_found("/run/secrets", &[Type], active(LinkSeen::Other));
}

#[test]
fn a_link_that_leads_elsewhere_is_told_with_what_it_says() {
    let wanted = wanted();
    let expected = expected(ExpectedContent::Bytes(&wanted));
    let sentence = |dangles| {
        let survey = seen(|survey| {
            survey.links[0].place = PlaceSeen::Link {
                text: "/srv/b".into(),
                wanted: "right".into(),
                dangles,
                uid: 0,
                gid: 8,
            };
        });
        let lines = drift(&expected, &survey).into_iter();
        let lines = lines.filter(|line| line.subject == "/root/srv/a");
        lines.map(|line| line.sentence()).collect::<Vec<_>>()
    };
    let owner = "belongs to somebody else";
    let elsewhere = "the link leads elsewhere, to /srv/b";
    assert_eq!(sentence(false), [elsewhere, owner]);
    assert_eq!(sentence(true), ["the link leads nowhere, to /srv/b", owner]);
}

#[test]
fn a_mount_that_is_not_there_explains_everything_on_it() {
    let wanted = wanted();
    let expected = expected(ExpectedContent::Bytes(&wanted));
    let lines = found(&expected, |survey| {
        survey.mount.in_memory = false;
        survey.files[0].file = FileSeen::Missing;
        survey.link = LinkSeen::Lost {
            text: "/run/secrets.d/3".into(),
        };
    });
    let not_mounted = |subject: &str| (subject.to_owned(), DriftClass::NotMounted);
    assert_eq!(lines, [not_mounted("/run/secrets.d"), not_mounted("a")]);
}

#[test]
fn a_mount_has_options_and_a_mode() {
    let mount = "/run/secrets.d";
    assert_found(mount, &[DriftClass::MountOptions], |survey| {
        survey.mount.is_closed = false
    });
    assert_found(mount, &[DriftClass::Mode], |survey| {
        survey.mount.mode = 0o755
    });
    // A directory of somebody else's file system in memory has that one's options.
    assert_found(mount, &[], |survey| {
        survey.mount.is_mount_point = false;
        survey.mount.is_closed = false;
    });
}

#[test]
fn where_nothing_is_mounted_and_nobody_given_anything_neither_is_compared() {
    let wanted = wanted();
    let mut expected = expected(ExpectedContent::Bytes(&wanted));
    expected.mounted = false;
    expected.owners = false;
    let lines = found(&expected, |survey| {
        survey.mount.in_memory = false;
        survey.files[0].file = regular(b"content", 0o400, 1000, 1000);
        survey.links[0].place = link("right", 1000, 1000);
    });
    assert_eq!(lines, []);
}

#[test]
fn a_digest_stands_for_a_content_and_nothing_for_any() {
    let key = HmacKey::from_bytes(Secret::from_slice(b"0123456789abcdef")).unwrap();
    let digest = key.digest("a", &wanted());
    let other = |survey: &mut Survey| survey.files[0].file = regular(b"other", 0o400, 7, 8);
    let by_digest = || {
        expected(ExpectedContent::Digest {
            key: &key,
            digest: &digest,
        })
    };
    assert_eq!(found(&by_digest(), |_| ()), []);
    assert_eq!(
        found(&by_digest(), other),
        [("a".to_owned(), DriftClass::Content)]
    );
    assert_eq!(found(&expected(ExpectedContent::Unknown), other), []);
}

#[test]
fn published_digests_are_all_that_is_expected() {
    let of = |name: &str, content: &[u8]| ExpectedDigest {
        name: name.into(),
        sha256: digest::hex(&digest::sha256(content)),
    };
    let files = [
        regular(b"one", 0, 0, 0),
        regular(b"two", 0, 0, 0),
        FileSeen::Missing,
    ];
    let files: Vec<&FileSeen> = files.iter().collect();
    let names = ["a", "b", "c"];
    let same = [of("a", b"one"), of("b", b"two"), of("c", b"three")];
    assert_eq!(drift_from_digests(&same, &names, &files), []);
    let other = [of("a", b"One"), of("d", b"four"), of("c", b"three")];
    let found: Vec<_> = drift_from_digests(&other, &names, &files)
        .into_iter()
        .map(|line| (line.subject, line.class))
        .collect();
    let expected = [
        ("a", DriftClass::Digest),
        ("b", DriftClass::Extra),
        ("d", DriftClass::Missing),
    ];
    assert_eq!(
        found,
        expected.map(|(name, class)| (name.to_owned(), class))
    );
}
