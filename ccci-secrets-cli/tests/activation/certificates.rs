//! Certificates that are checked before anything is changed.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::fixtures::{CERTIFICATE, CERTIFICATE_KEY};
use crate::harness::{Skip, Verdict};
use crate::world::{LIVE_CERTIFICATE, LIVE_KEY, Run, World};

/// The manifest of the operator with a check of the certificate.
pub(crate) fn checking_manifest(world: &World) -> Value {
    let mut manifest = world.manifest();
    manifest["checks"] = json!([{
        "type": "x509", "cert": CERTIFICATE, "key": CERTIFICATE_KEY,
        "minDays": 7, "names": ["*.ci.example"], "chain": "leaf-first",
    }]);
    manifest
}

/// Seals other values for certificate and key.
pub(crate) fn seal_pair(world: &World, certificate: &[u8], key: &[u8]) {
    let fixtures = world.fixtures();
    let plain = fixtures.plaintext(|name| match name {
        CERTIFICATE => certificate.to_vec(),
        CERTIFICATE_KEY => key.to_vec(),
        _ => fixtures.value(name),
    });
    world.write("secrets.yaml", &fixtures.seal(&plain, &[&world.host]));
}

/// Runs a script of openssl commands in a directory of its own below `given`, which is a source.
pub(crate) fn openssl(world: &World, name: &str, script: &str) -> Result<Made, Skip> {
    let has_openssl = Command::new("openssl").arg("version").output();
    if has_openssl.is_err() {
        return Err(Skip("openssl is not on PATH".into()));
    }
    let dir = world.aside("given").join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let output = Command::new("sh")
        .args(["-ec", &format!("umask 077\n{script}")])
        .current_dir(&dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Made(dir))
}

/// What openssl made.
pub(crate) struct Made(pub(crate) std::path::PathBuf);

impl Made {
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }
}

/// A leaf `leaf.pem` with `key.pem`, self-signed.
fn self_signed(algorithm: &str, more: &str) -> String {
    format!(
        "openssl genpkey -algorithm {algorithm} -out key.pem
         openssl req -x509 -new -key key.pem -subj /CN=leaf {more} -out leaf.pem"
    )
}

const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
const NAMES: &str = "-addext 'subjectAltName=DNS:*.ci.example'";

pub(crate) fn s25_certificates_that_will_not_do_are_refused_with_the_reason(
    world: &World,
) -> Verdict {
    let fixtures = world.fixtures();
    let chain = fixtures.value(CERTIFICATE);
    let key = fixtures.value(CERTIFICATE_KEY);
    let other = openssl(
        world,
        "other",
        &self_signed(P256, &format!("-days 30 {NAMES}")),
    )?;
    let expired = openssl(world, "expired", &expired_script())?;
    let nameless = openssl(world, "nameless", &self_signed(P256, "-days 30"))?;
    let run = world.activate(&checking_manifest(world));
    assert_eq!(run.code, 0, "{}", run.stderr);
    world.assert_complete();

    let text = String::from_utf8(chain.clone()).unwrap();
    let (leaf, issuer) = text.split_at(text.rfind("-----BEGIN").unwrap());
    let reversed = format!("{issuer}{leaf}");
    for (certificate, key, reason) in [
        (
            &chain,
            &other.read("key.pem"),
            "the private key does not belong to the certificate",
        ),
        (
            &expired.read("leaf.pem"),
            &expired.read("key.pem"),
            "the certificate expired at ",
        ),
        (&reversed.into_bytes(), &key, "the chain is reversed"),
        (
            &nameless.read("leaf.pem"),
            &nameless.read("key.pem"),
            "does not cover *.ci.example: it has no subject alternative names",
        ),
        (
            &[chain.as_slice(), key.as_slice()].concat(),
            &key,
            "is not a certificate",
        ),
    ] {
        seal_pair(world, certificate, key);
        let run = world.assert_refused(32, || world.activate_again(&[]));
        let told = format!("error: certificate `{CERTIFICATE}` with key `{CERTIFICATE_KEY}`: ");
        assert!(run.stderr.contains(&told), "{}", run.stderr);
        assert!(run.stderr.contains(reason), "{reason}: {}", run.stderr);
        assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
        assert_eq!(world.report()["code"], json!("certificate-invalid"));
    }

    // Too few days are a warning, unless they are said to be more.
    let mut manifest = checking_manifest(world);
    manifest["checks"][0]["minDays"] = json!(60);
    seal_pair(world, &chain, &key);
    let run = world.activate(&manifest);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("expires earlier than the manifest allows for"),
        "{}",
        run.stderr
    );
    manifest["checks"][0]["strict"] = json!(true);
    world.write_manifest(&manifest);
    let run = world.assert_refused(32, || world.activate_again(&[]));
    assert!(
        run.stderr.contains("in less than 60 days"),
        "{}",
        run.stderr
    );
    Ok(())
}

/// A certificate that was valid in 2021 only.
fn expired_script() -> String {
    format!(
        "openssl genpkey -algorithm {P256} -out key.pem
         openssl req -new -key key.pem -subj /CN=leaf -out leaf.csr
         : >index; echo 01 >serial
         printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=index' 'serial=serial' 'new_certs_dir=.' \
             'default_md=sha256' 'policy=p' '[p]' 'commonName=supplied' '[e]' 'subjectAltName=DNS:*.ci.example' >ca.cnf
         openssl ca -batch -notext -config ca.cnf -extensions e -selfsign -keyfile key.pem -in leaf.csr \
             -startdate 20210101000000Z -enddate 20210601000000Z -out leaf.pem"
    )
}

pub(crate) fn s25_keys_of_every_form_are_accepted(world: &World) -> Verdict {
    let forms = [
        ("sec1", P256, true, "EC PRIVATE KEY"),
        ("pkcs8", P256, false, "PRIVATE KEY"),
        (
            "pkcs1",
            "RSA -pkeyopt rsa_keygen_bits:2048",
            true,
            "RSA PRIVATE KEY",
        ),
        ("ed25519", "ED25519", false, "PRIVATE KEY"),
    ];
    world.write_manifest(&checking_manifest(world));
    for (name, algorithm, traditional, label) in forms {
        let mut script = self_signed(algorithm, &format!("-days 30 {NAMES}"));
        if traditional {
            script += "\nopenssl pkey -in key.pem -traditional -out key.old; mv key.old key.pem";
        }
        let made = openssl(world, name, &script)?;
        let key = made.read("key.pem");
        assert!(key.starts_with(format!("-----BEGIN {label}-----").as_bytes()));
        seal_pair(world, &made.read("leaf.pem"), &key);
        let run = world.activate_again(&[]);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        world.assert_value(CERTIFICATE_KEY, &key);
        let leaf = fingerprint(&made.0.join("leaf.pem"));
        let certs = &world.report()["certs"];
        assert_eq!(certs[0]["leaf_sha256"], json!(leaf));
        assert_eq!(certs[0]["names"], json!(["*.ci.example"]));
        assert!(run.stdout.contains(&leaf), "{}", run.stdout);
    }
    Ok(())
}

pub(crate) fn the_leaf_that_is_expected_is_compared(world: &World) -> Verdict {
    let made = openssl(world, "leaf", "true")?;
    let path = made.0.join("leaf.pem");
    std::fs::write(&path, world.fixtures().value(CERTIFICATE)).unwrap();
    let leaf = fingerprint(&path);
    let other = leaf.replace(|c: char| c.is_ascii_digit(), "F");
    world.write_manifest(&checking_manifest(world));
    let expecting = |leaf: &str| -> Run { world.activate_again(&["--expect-leaf", leaf]) };
    let run = world.assert_refused(32, || expecting(&other));
    assert!(run.stderr.contains(&leaf), "{}", run.stderr);
    let run = expecting(&leaf);
    assert_eq!(run.code, 0, "{}", run.stderr);
    Ok(())
}

/// The SHA-256 fingerprint of the first certificate of a file, as openssl prints it.
pub(crate) fn fingerprint(path: &Path) -> String {
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim_end().rsplit_once('=').unwrap().1.to_owned()
}

/// A server on the files that were activated; it ends with the scenario.
pub(crate) struct Server {
    process: std::process::Child,
    port: u16,
}

impl Server {
    /// None if no server came up.
    pub(crate) fn start(certificate: &Path, key: &Path) -> Option<Self> {
        for _ in 0..5 {
            // Free now; somebody else may be faster.
            let port = std::net::TcpListener::bind("127.0.0.1:0")
                .ok()?
                .local_addr()
                .ok()?
                .port();
            let mut process = Command::new("openssl")
                .args([
                    "s_server",
                    "-quiet",
                    "-accept",
                    &format!("127.0.0.1:{port}"),
                    "-cert",
                ])
                .arg(certificate)
                .arg("-key")
                .arg(key)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            for _ in 0..200 {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Self { process, port });
                }
                if process.try_wait().ok()?.is_some() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            drop(process.kill());
            drop(process.wait());
        }
        None
    }
}

impl Server {
    /// The fingerprint of the certificate that a client of openssl is shown.
    pub(crate) fn shown_fingerprint(&self) -> String {
        let script = format!(
            "openssl s_client -connect 127.0.0.1:{} -servername probe.ci.example </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256",
            self.port
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim_end().rsplit_once('=').unwrap().1.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub(crate) fn s15_a_server_shows_the_leaf_that_the_report_names(world: &World) -> Verdict {
    let made = openssl(world, "files", "true")?;
    let run = world.activate(&checking_manifest(world));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let leaf = world.report()["certs"][0]["leaf_sha256"].clone();
    let live = world.out(LIVE_CERTIFICATE);
    assert_eq!(leaf, json!(fingerprint(&live)));
    let leaf = leaf.as_str().unwrap();
    if !cfg!(feature = "probe") {
        let run = world.run(&[
            "cert",
            "probe",
            "--connect",
            "127.0.0.1:1",
            "--sni",
            "probe.ci.example",
        ]);
        assert_eq!(run.code, 10, "{}", run.stderr);
        for part in [
            "cargo feature `probe`",
            "openssl s_client -connect 127.0.0.1:1 -servername probe.ci.example",
        ] {
            assert!(run.stderr.contains(part), "{}", run.stderr);
        }
        return Err(Skip(
            "the report names the leaf; that a server shows it is not asked, as this build has no `probe`".into(),
        ));
    }
    // A source: the key of the server stands in it.
    let key = made.0.join("privkey.pem");
    std::fs::copy(world.out(LIVE_KEY), &key).unwrap();
    let Some(server) = Server::start(&live, &key) else {
        return Err(Skip("openssl s_server does not come up here".into()));
    };
    let address = format!("127.0.0.1:{}", server.port);
    let probe = |more: &[&str]| {
        let arguments = [
            "cert",
            "probe",
            "--connect",
            &address,
            "--sni",
            "probe.ci.example",
        ];
        world.run(&[&arguments, more].concat())
    };
    let run = probe(&[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().next(), Some(leaf));
    assert_eq!(run.stderr, "");
    let run = probe(&["--expect-leaf", leaf]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let other = leaf.replace(|c: char| c.is_ascii_digit(), "F");
    let run = probe(&["--expect-leaf", &other]);
    assert_eq!(run.code, 32, "{}", run.stderr);
    assert!(
        run.stderr.contains(leaf) && run.stderr.contains(&other),
        "{}",
        run.stderr
    );
    // Another name is told, and nobody there is a fault.
    let run = world.run(&[
        "cert",
        "probe",
        "--connect",
        &address,
        "--sni",
        "other.example",
    ]);
    assert!(
        run.stderr.contains("does not cover other.example"),
        "{}",
        run.stderr
    );
    drop(server);
    let run = probe(&["--timeout", "2"]);
    assert_eq!(run.code, 32, "{}", run.stderr);
    assert!(run.stderr.contains("cannot connect to"), "{}", run.stderr);
    Ok(())
}
