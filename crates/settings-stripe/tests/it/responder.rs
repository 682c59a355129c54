//! An HTTP server that answers by a script: what the peers can't say.
use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};
use url::form_urlencoded;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method, path and query.
    pub(crate) line: String,
    /// By names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
    pub(crate) fn path(&self) -> &str {
        self.line.split(['?', ' ']).nth(1).unwrap()
    }
    /// The fields of query and form, in their order of names.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let query = self.line.split(' ').nth(1).unwrap().split_once('?').map_or("", |(_, query)| query);
        let both = [query, &self.body].map(|text| form_urlencoded::parse(text.as_bytes()).into_owned());
        let mut fields: Vec<_> = both.into_iter().flatten().collect();
        fields.sort();
        fields
    }
}

/// Answers requests and remembers them.
pub(crate) struct Responder {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// An answer with these whole lines as further headers.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n\
         {body}"
    )
}

impl Responder {
    pub(crate) fn json(body: &str) -> Self {
        Self::with(200, "", body)
    }

    /// Answers every request alike.
    pub(crate) fn with(status: u16, headers: &str, body: &str) -> Self {
        let answer = answer(status, headers, body);
        Self::start(move |stream, _, _| stream.write_all(answer.as_bytes()))
    }

    /// Answers the first request with the first of these, and so on; the last one stands for all that follow.
    pub(crate) fn script(answers: Vec<String>) -> Self {
        Self::start(move |stream, n, _| stream.write_all(answers[n.min(answers.len() - 1)].as_bytes()))
    }

    /// Answers with this JSON where the line of the request has this text in it; 404 where none has.
    pub(crate) fn routes(routes: Vec<(&'static str, String)>) -> Self {
        Self::start(move |stream, _, request| {
            let found = routes.iter().find(|(part, _)| request.line.contains(part));
            stream.write_all(found.map_or_else(|| answer(404, "", "{}"), |(_, body)| answer(200, "", body)).as_bytes())
        })
    }

    /// `answer` gets the number of the request, from 0.
    pub(crate) fn start(
        answer: impl Fn(&mut TcpStream, usize, &Request) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, answer) = (stream.unwrap(), Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    // A client that goes away early is what some tests are about.
                    if let Ok(request) = read(&mut stream) {
                        let mut all = seen.lock().unwrap();
                        let n = all.len();
                        all.push(request.clone());
                        drop(all);
                        let _ = answer(&mut stream, n, &request);
                    }
                });
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<_, _> =
        lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Request { line, headers, body: String::from_utf8(body).unwrap() })
}
