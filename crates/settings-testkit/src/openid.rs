//! A certified OpenID provider of somebody else's making. Installed on first use, ends with the test.
use crate::{npm, peers::Failed};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// A running provider. Who signs in types an address and is that address.
#[derive(Debug)]
pub struct OpenIdProvider {
    child: Child,
    /// The issuer, without a trailing slash.
    pub url: String,
}

impl OpenIdProvider {
    /// Starts one that knows no client yet. `target` is `env!("CARGO_TARGET_TMPDIR")` of the test.
    pub fn start(target: &str) -> Result<Self, Failed> {
        let place = npm::installed(target, "openid")?;
        let mut command = Command::new("node");
        command.arg(place.join("provider.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| format!("node can't be started, install nodejs: {e}"))?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let ready = lines.find_map(|line| line.ok()?.strip_prefix("ready ").map(str::to_owned));
        match ready {
            Some(url) => Ok(Self { child, url }),
            None => Err(format!("the provider ended before it was ready: {}", child.wait()?).into()),
        }
    }

    /// Changes what the provider does from now on. `provider.mjs` says what there is: `clients`, `rotate` (a new signing
    /// key), `fault` (what is wrong with ID tokens), `claimsInToken`, `away`. Answers how often tokens were asked for.
    #[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
    pub fn set(&self, wanted: serde_json::Value) -> Result<u64, Failed> {
        let address = self.url.strip_prefix("http://").ok_or("an address")?;
        let mut stream = TcpStream::connect(address)?;
        let body = wanted.to_string();
        let length = body.len();
        write!(
            stream,
            "POST /test/set HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, said) = answer.split_once("{\"tokens\":").ok_or_else(|| format!("the provider said {answer}"))?;
        Ok(said.chars().take_while(char::is_ascii_digit).collect::<String>().parse()?)
    }
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        // It ends by itself when its standard input closes; this is quicker and leaves no zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
