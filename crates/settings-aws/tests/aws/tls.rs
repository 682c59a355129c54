//! TLS with ring alone: a real handshake, with a certificate made for the test.
//!
//! Which roots are trusted is the process's environment, and a test cannot change its own: so the test that trusts the
//! certificate starts itself again with `SSL_CERT_FILE` set.
use crate::{AnyError, CONTEXT, TestResult, keyring, sentence};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use settings_aws::KmsFailure;
use settings_domain::ports::keyring::Keyring as _;
use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
    thread,
};

const CHILD: &str = "SETTINGS_AWS_TEST_TLS";
const NAME: &str = "tls::kms_is_reached_over_tls_under_its_own_name_and_a_trusted_certificate_only";

/// A KMS behind TLS, which says the same to everybody. It ends with the process.
fn serve(cert: &Path, key: &Path) -> Result<u16, AnyError> {
    let chain = vec![CertificateDer::from_pem_file(cert)?];
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    let (listener, config) = (TcpListener::bind("127.0.0.1:0")?, Arc::new(config));
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            // A handshake that fails is what the test is about.
            thread::spawn(move || drop(answer(stream, config)));
        }
    });
    Ok(port)
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> Result<(), AnyError> {
    let mut stream = StreamOwned::new(ServerConnection::new(config)?, stream);
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"}") {
        let read = stream.read(&mut buffer)?;
        request.extend_from_slice(buffer.get(..read).filter(|bytes| !bytes.is_empty()).ok_or("closed")?);
    }
    let body = format!(r#"{{"CiphertextBlob":"YmxvYg==","KeyId":"x","Plaintext":"{}="}}"#, "A".repeat(43));
    write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the test tells its child what it is")]
async fn kms_is_reached_over_tls_under_its_own_name_and_a_trusted_certificate_only() -> TestResult {
    let unreachable: fn(&KmsFailure) -> bool = |f| matches!(f, KmsFailure::Unreachable(_));
    let Some(dir) = env::var_os(CHILD) else {
        let dir = tempfile::tempdir()?;
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        fs::write(&cert, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        // Not trusted here.
        let port = serve(&cert, &key)?;
        let keyring = keyring(&format!("https://localhost:{port}"), "alias/settings").await?;
        let said = sentence(keyring.generate_data_key(CONTEXT).await, unreachable)?;
        assert!(said.contains("UnknownIssuer") || said.contains("certificate"), "{said}");
        let mut child = Command::new(env::current_exe()?);
        child.args(["--exact", NAME, "--nocapture"]).env(CHILD, dir.path()).env("SSL_CERT_FILE", &cert);
        let output = child.env_remove("SSL_CERT_DIR").output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}{errors}");
        return Ok(());
    };
    let dir = Path::new(&dir);
    let port = serve(&dir.join("cert.pem"), &dir.join("key.pem"))?;
    keyring(&format!("https://localhost:{port}"), "alias/settings").await?.generate_data_key(CONTEXT).await?;
    // Trusted, but not under this name.
    let other = keyring(&format!("https://127.0.0.1:{port}"), "alias/settings").await?.generate_data_key(CONTEXT).await;
    sentence(other, unreachable)?;
    Ok(())
}
