//! Amazon's test suite, file by file. It has to be here, not in `tests/`: half of its paths are none that a URL can
//! have, so it is the parts that are checked and not the whole.
use super::*;
use serde::Deserialize;
use std::{fs, path::PathBuf};

#[derive(Deserialize)]
struct Context {
    credentials: Pair,
    normalize: bool,
    region: String,
    service: String,
    sign_body: bool,
    #[serde(default)]
    omit_session_token: bool,
    timestamp: String,
}

#[derive(Deserialize)]
struct Pair {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

struct Case {
    name: String,
    folder: PathBuf,
}

/// A request as the suite writes it.
struct Written {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Case {
    fn all() -> Vec<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/aws-sigv4-v4");
        let folders = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        folders.map(|folder| Self { name: folder.file_name().unwrap().to_str().unwrap().to_owned(), folder }).collect()
    }
    fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(name)).ok()
    }
    fn request(&self) -> Written {
        let text = self.file("request.txt").unwrap();
        let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let mut lines = head.lines();
        // smithy-rs has escaped the space in one request.txt (get-space-normalized), so that its HTTP library takes it,
        // and left the expected answers. The signed request still has the line they belong to.
        let signed = self.file("header-signed-request.txt");
        let line = lines.next().unwrap();
        let line = signed.as_deref().and_then(|signed| signed.lines().next()).unwrap_or(line);
        let (method, rest) = line.split_once(' ').unwrap();
        let (target, version) = rest.rsplit_once(' ').unwrap();
        assert_eq!(version, "HTTP/1.1");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            // A folded line goes on where the one before it ended.
            if line.starts_with(' ') {
                headers.last_mut().unwrap().1.push_str(line);
            } else {
                let (name, value) = line.split_once(':').unwrap();
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        Written {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: body.to_owned(),
        }
    }
}

impl Written {
    fn canonical(&self, normalize: bool, ours: &[(&str, &str)]) -> Canonical {
        let path = if normalize { canonical::normalized(&self.path) } else { self.path.clone() };
        let theirs = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Canonical::new(
            &self.method,
            &canonical::encoded(&path),
            &canonical::query(&self.query).unwrap(),
            theirs.chain(ours.iter().copied()),
            self.body.as_bytes(),
        )
    }
}

#[test]
fn every_case_of_amazons_suite_comes_out_to_the_byte() {
    let mut checked = 0;
    for case in Case::all() {
        let Some(context) = case.file("context.json") else { continue };
        let context: Context = serde_json::from_str(&context).unwrap();
        let name = &case.name;
        let at = OffsetDateTime::parse(&context.timestamp, &time::format_description::well_known::Rfc3339).unwrap();
        let (date, request) = (Date::new(at).unwrap(), case.request());
        let hash = sha256_hex(request.body.as_bytes());
        let mut ours = vec![("X-Amz-Date", date.instant.as_str())];
        if context.sign_body {
            ours.push(("x-amz-content-sha256", &hash));
        }
        // Some services want the token added after signing; then it is not part of what is signed.
        if let Some(token) = context.credentials.token.as_deref().filter(|_| !context.omit_session_token) {
            ours.push(("X-Amz-Security-Token", token));
        }
        let canonical = request.canonical(context.normalize, &ours);
        assert_eq!(*canonical.text, case.file("header-canonical-request.txt").unwrap(), "{name}");
        let scope = Scope::new(&context.region, &context.service).unwrap();
        let text = string_to_sign(&canonical, &scope, &date);
        assert_eq!(text, case.file("header-string-to-sign.txt").unwrap(), "{name}");
        let (id, secret) = (context.credentials.access_key_id.into(), context.credentials.secret_access_key.into());
        let credentials = Credentials { access_key_id: &id, secret_access_key: &secret, session_token: None };
        let header = Key::new(&credentials).unwrap().authorization(&canonical, &scope, &date);
        let signed = case.file("header-signed-request.txt").unwrap();
        let expected = signed.lines().find_map(|line| line.strip_prefix("Authorization:")).unwrap();
        assert_eq!(header.expose_secret(), expected, "{name}");
        checked += 1;
    }
    assert_eq!(checked, 38, "the suite has 38 cases");
}

/// These two say what peers get wrong most: a path with escapes is encoded again.
#[test]
fn the_older_cases_agree_on_the_path() {
    for name in ["double-encode-path", "double-url-encode"] {
        let case = Case::all().into_iter().find(|case| case.name == name).unwrap();
        let mut request = case.request();
        // The date of the canonical request is not the date of the request.
        request.headers.retain(|(name, _)| name.eq_ignore_ascii_case("host"));
        let canonical = request.canonical(true, &[("x-amz-date", "20210511T154045Z")]);
        assert_eq!(*canonical.text, case.file("header-canonical-request.txt").unwrap().trim_end(), "{name}");
    }
}
