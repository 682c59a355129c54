//! SS11: who cannot show a certificate for the host gets nothing, not even the request.
use crate::support::{LIMITS, Receiver, TENANT, child_of, get, local_client};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use settings_egress::{SendError, TlsFault};
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    sync::Arc,
    thread,
};

/// Where the child finds the key of the authority that it trusts.
const KEY: &str = "SETTINGS_EGRESS_TEST_KEY";

fn authority() -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "the tests' authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// Trusts an authority in a child process, and hands that child the authority's key.
#[expect(clippy::disallowed_methods, reason = "where the child finds its key")]
fn in_a_child_that_trusts_it(test: &str) -> Option<Issuer<'static, KeyPair>> {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = KeyPair::generate().unwrap();
    let roots = write("roots.pem", authority().self_signed(&key).unwrap().pem());
    let key = write("key.pem", key.serialize_pem());
    if child_of(test, &[("SSL_CERT_FILE", &roots), (KEY, &key)]) {
        return None;
    }
    let key = fs::read_to_string(Path::new(&std::env::var(KEY).unwrap())).unwrap();
    Some(Issuer::new(authority(), KeyPair::from_pem(&key).unwrap()))
}

fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> Receiver {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Receiver::with_tls(config)
}

/// A receiver with a certificate for these names.
fn receiver(issuer: &Issuer<'_, KeyPair>, names: &[&str], adapt: impl FnOnce(&mut CertificateParams)) -> Receiver {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    adapt(&mut params);
    let key = KeyPair::generate().unwrap();
    serve(params.signed_by(&key, issuer).unwrap().der().clone(), &key)
}

async fn send_to(host: &str, receiver: &Receiver) -> Result<u16, SendError> {
    let client = local_client(LIMITS);
    let target = client.policy().check(&format!("https://{host}:{}/", receiver.port())).unwrap();
    client.send(get(target), TENANT).await.map(|answer| answer.status.as_u16())
}

const fn fault(fault: TlsFault) -> Result<u16, SendError> {
    Err(SendError::Tls(fault))
}

#[tokio::test]
async fn a_certificate_of_a_known_authority_for_this_host_is_accepted_and_no_other() {
    let name = "tls::a_certificate_of_a_known_authority_for_this_host_is_accepted_and_no_other";
    let Some(issuer) = in_a_child_that_trusts_it(name) else { return };
    let good = receiver(&issuer, &["hooks.test", "127.0.0.1"], |_| ());
    assert_eq!(send_to("hooks.test", &good).await, Ok(200));
    assert_eq!(send_to("127.0.0.1", &good).await, Ok(200));
    assert!(good.requests()[0].contains(&format!("host: hooks.test:{}\r\n", good.port())));

    // The same receiver under a name that leads to it as well.
    assert_eq!(send_to("other.test", &good).await, fault(TlsFault::WrongName));
    assert_eq!(send_to("sub.hooks.test", &good).await, fault(TlsFault::WrongName));
    assert_eq!(good.requests().len(), 2);
    let named = receiver(&issuer, &["hooks.test"], |_| ());
    assert_eq!(send_to("127.0.0.1", &named).await, fault(TlsFault::WrongName));

    let expired = receiver(&issuer, &["hooks.test"], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    assert_eq!(send_to("hooks.test", &expired).await, fault(TlsFault::Expired));
    let future = receiver(&issuer, &["hooks.test"], |params| params.not_before = date_time_ymd(3000, 1, 1));
    assert_eq!(send_to("hooks.test", &future).await, fault(TlsFault::Expired));

    let key = KeyPair::generate().unwrap();
    let alone = CertificateParams::new(vec!["hooks.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let self_signed = serve(alone.der().clone(), &key);
    assert_eq!(send_to("hooks.test", &self_signed).await, fault(TlsFault::Untrusted));
    // One that claims to be the authority, with a key of its own.
    let impostor = Issuer::new(authority(), KeyPair::generate().unwrap());
    let forged = receiver(&impostor, &["hooks.test"], |_| ());
    assert!(matches!(send_to("hooks.test", &forged).await, Err(SendError::Tls(_))));
    for bad in [named, expired, future, self_signed, forged] {
        assert_eq!(bad.requests(), [""; 0]);
        // And not once more without verification.
        assert_eq!(bad.contacted().len(), 1);
    }
}

#[tokio::test]
async fn an_authority_that_the_system_does_not_know_is_not_trusted() {
    let stranger = Issuer::new(authority(), KeyPair::generate().unwrap());
    let receiver = receiver(&stranger, &["hooks.test"], |_| ());
    let sent = send_to("hooks.test", &receiver).await;
    assert_eq!(sent, fault(TlsFault::Untrusted));
    assert!(sent.unwrap_err().is_retryable());
    assert_eq!(receiver.requests(), [""; 0]);
}

/// Takes one connection, answers with these bytes, and returns what the client said first.
fn raw(answer: &'static [u8]) -> (TcpListener, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let accepting = listener.try_clone().unwrap();
    let said = thread::spawn(move || {
        let (mut stream, _) = accepting.accept().unwrap();
        let mut said = vec![0; 4096];
        let length = stream.read(&mut said).unwrap();
        stream.write_all(answer).unwrap();
        // Until the client hangs up, so that its bytes do not reset the connection under our answer.
        let _ = stream.read_to_end(&mut Vec::new());
        said.truncate(length);
        said
    });
    (listener, said)
}

async fn send_to_raw(answer: &'static [u8]) -> (Result<u16, SendError>, Vec<u8>) {
    let (listener, said) = raw(answer);
    let client = local_client(LIMITS);
    let port = listener.local_addr().unwrap().port();
    let target = client.policy().check(&format!("https://hooks.test:{port}/s3cret")).unwrap();
    let sent = client.send(get(target), TENANT).await.map(|answer| answer.status.as_u16());
    drop(client);
    (sent, said.join().unwrap())
}

/// A record with a `ServerHello` of TLS 1.0 or 1.1, a cipher of which every version has heard, and no extensions.
const fn old_hello(minor: u8) -> [u8; 47] {
    let mut hello = [7; 47];
    let head = [22, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    hello[43] = 0; // no session id
    hello[44] = 0xc0;
    hello[45] = 0x2f; // ECDHE_RSA_WITH_AES_128_GCM_SHA256
    hello[46] = 0; // no compression
    hello
}
static TLS_1_0: [u8; 47] = old_hello(1);
static TLS_1_1: [u8; 47] = old_hello(2);

#[tokio::test]
async fn old_versions_of_tls_are_neither_offered_nor_taken() {
    for answer in [&TLS_1_0, &TLS_1_1] {
        let (sent, hello) = send_to_raw(answer).await;
        assert_eq!(sent, fault(TlsFault::Handshake));
        // supported_versions (43): two bytes of length of the list, then TLS 1.3 and 1.2, in any order.
        let offered = hello.windows(9).find(|w| w.starts_with(&[0, 43, 0, 5, 4])).map(|w| w[5..].to_vec()).unwrap();
        assert!(offered == [3, 4, 3, 3] || offered == [3, 3, 3, 4], "{offered:?}");
        assert!(hello.windows(10).any(|w| w == b"hooks.test"), "the server name is not in the hello");
        assert!(!hello.windows(6).any(|w| w == b"s3cret"));
    }
}

#[tokio::test]
async fn where_tls_is_expected_nothing_is_sent_in_the_clear() {
    for answer in
        [&b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..], b"220 smtp\r\n", b"\x15\x03\x03\x00\x02\x02\x28"]
    {
        let (sent, said) = send_to_raw(answer).await;
        assert_eq!(sent, fault(TlsFault::Handshake), "{answer:?}");
        assert_eq!(said[0], 22, "not a handshake record");
        assert!(!said.windows(6).any(|w| w == b"s3cret"));
    }
}
