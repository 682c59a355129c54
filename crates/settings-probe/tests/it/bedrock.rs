//! Our signature before a verifier of somebody else's making, under the host name that AWS has.
use crate::support::{local_prober, pair, probe};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use settings_domain::models::Provider;
use settings_testkit::moto::Moto;
use std::{env, fs, path::PathBuf, process::Command};

const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const CHILD: &str = "SETTINGS_PROBE_TEST_FOLDER";

/// Makes a certificate for the host, and the authority that issued it.
fn certificate(folder: &std::path::Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "the tests' authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate().unwrap();
    fs::write(folder.join("roots.pem"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec![HOST.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("host.pem"), made.pem()).unwrap();
    fs::write(folder.join("host.key"), key.serialize_pem()).unwrap();
}

/// Runs a test again in a process that trusts an authority of its own: a process cannot change its own environment.
#[expect(clippy::disallowed_methods, reason = "how the test tells its child what it is")]
fn in_a_child_that_trusts_it(test: &str) -> Option<PathBuf> {
    if let Some(folder) = env::var_os(CHILD) {
        return Some(folder.into());
    }
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_remove("SSL_CERT_DIR")
        .env("SSL_CERT_FILE", folder.path().join("roots.pem"))
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    None
}

#[tokio::test]
async fn a_verifier_takes_the_probes_signature_and_refuses_what_it_should() {
    let name = "bedrock::a_verifier_takes_the_probes_signature_and_refuses_what_it_should";
    let Some(folder) = in_a_child_that_trusts_it(name) else { return };
    let tls = (folder.join("host.pem"), folder.join("host.key"));
    let moto = Moto::start_with_tls(env!("CARGO_TARGET_TMPDIR"), &tls.0, &tls.1).unwrap();
    let key = moto.access_key("bedrock", "bedrock:*").unwrap();
    let other = moto.access_key("kms", "kms:*").unwrap();
    moto.check_signatures().unwrap();

    let prober = local_prober();
    let url =
        format!("https://{HOST}:{}/model/anthropic.claude-3-sonnet-20240229-v1:0/invoke", moto.tls_port().unwrap());
    let report = probe(&prober, Provider::AwsBedrock, url.as_str(), pair(&key.id, &key.secret)).await;
    assert_eq!((report.reachable, report.authenticated), (true, Some(true)), "{}", report.detail);
    assert_eq!(report.detail, "AWS Bedrock accepted the client key.");
    for (id, secret) in
        [(&key.id, &other.secret), (&other.id, &other.secret), (&"AKIAIOSFODNN7EXAMPLE".to_owned(), &key.secret)]
    {
        let report = probe(&prober, Provider::AwsBedrock, url.as_str(), pair(id, secret)).await;
        assert_eq!((report.authenticated, report.status), (Some(false), Some(403)));
        assert!(report.detail.starts_with("AWS Bedrock refused the client key (403): check"), "{}", report.detail);
    }
}
