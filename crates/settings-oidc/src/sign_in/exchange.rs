//! The provider's back door: a code for tokens, an access token for what it knows of a person.
use crate::{
    config::LEFT_ALONE,
    fetch::{self, Endpoints},
    userinfo::UserInfo,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use settings_breaker::Breaker;
use settings_domain::ports::{Clock, sign_in::SignInError};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use time::OffsetDateTime;
use url::{Url, form_urlencoded};

/// What was wrong with an answer that was none.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("the {0} endpoint was answered with status {1}")]
    Status(&'static str, u16),
    #[error("the {0} endpoint's answer is larger than 256 KiB")]
    TooLarge(&'static str),
    #[error("the {0} endpoint failed several times in a row and is left alone for up to 30 s")]
    LeftAlone(&'static str),
}

/// The tokens of one sign-in. None of them is kept.
pub(super) struct Tokens {
    pub(super) id: SecretString,
    pub(super) access: Option<SecretString>,
}

#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// What the provider said: status and body.
struct Said {
    status: u16,
    body: Vec<u8>,
}

/// This service, as the provider knows it.
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: SecretString,
    pub(super) redirect_uri: String,
    pub(super) http: reqwest::Client,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether the provider has refused the secret in the header before and taken it in the form.
    secret_in_form: AtomicBool,
    token: Breaker<OffsetDateTime>,
    userinfo: Breaker<OffsetDateTime>,
}

impl Client {
    pub(super) fn new(
        id: String,
        secret: SecretString,
        redirect_uri: String,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let secret_in_form = AtomicBool::new(false);
        Self {
            id,
            secret,
            redirect_uri,
            http,
            clock,
            secret_in_form,
            token: Breaker::new(LEFT_ALONE),
            userinfo: Breaker::new(LEFT_ALONE),
        }
    }

    /// Whether the last exchange failed for the provider's not answering.
    pub(super) fn is_away(&self) -> bool {
        [&self.token, &self.userinfo].into_iter().any(|endpoint| endpoint.last_answered() == Some(false))
    }

    /// Tokens for a code.
    pub(super) async fn exchange(
        &self,
        endpoints: &Endpoints,
        code: &SecretString,
        verifier: &str,
    ) -> Result<Tokens, SignInError> {
        let url = endpoints.token.as_ref().ok_or(SignInError::Misconfigured("the provider names no token endpoint"))?;
        let in_form = !endpoints.secret_in_header || self.secret_in_form.load(Ordering::Relaxed);
        let first = self.ask_for_tokens(url, code, verifier, in_form).await?;
        // A provider may support both ways and accept one from this client. It refuses before it looks at the code.
        if is_unknown_client(&first) && endpoints.secret_in_form && endpoints.secret_in_header {
            let second = self.ask_for_tokens(url, code, verifier, !in_form).await?;
            if !is_unknown_client(&second) {
                self.secret_in_form.store(!in_form, Ordering::Relaxed);
            }
            return granted(&second);
        }
        granted(&first)
    }

    async fn ask_for_tokens(
        &self,
        url: &Url,
        code: &SecretString,
        verifier: &str,
        in_form: bool,
    ) -> Result<Said, SignInError> {
        let request = self.http.post(url.clone()).header("accept", "application/json");
        let request = if in_form { request } else { request.header("authorization", self.basic()) };
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send("token", &self.token, request.body(self.form(code, verifier, in_form))).await
    }

    fn form(&self, code: &SecretString, verifier: &str, in_form: bool) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose_secret())
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", verifier);
        if in_form {
            form.append_pair("client_id", &self.id).append_pair("client_secret", self.secret.expose_secret());
        }
        form.finish()
    }

    /// RFC 6749, 2.3.1: each part in the form's encoding first.
    fn basic(&self) -> String {
        let part = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        format!("Basic {}", STANDARD.encode(format!("{}:{}", part(&self.id), part(self.secret.expose_secret()))))
    }

    /// What the provider knows of the person; `None` where it does not say.
    pub(super) async fn userinfo(
        &self,
        endpoints: &Endpoints,
        access: &SecretString,
    ) -> Result<Option<UserInfo>, SignInError> {
        let Some(url) = &endpoints.userinfo else { return Ok(None) };
        let request = self.http.get(url.clone()).header("accept", "application/json");
        let said = self.send("userinfo", &self.userinfo, request.bearer_auth(access.expose_secret())).await?;
        if said.status != 200 {
            tracing::warn!(status = said.status, "the provider did not tell who signed in beyond their ID token");
            return Ok(None);
        }
        serde_json::from_slice(&said.body).map(Some).map_err(|_| SignInError::Invalid("the userinfo is malformed"))
    }

    /// One exchange, tried a second time where the first could not even connect.
    async fn send(
        &self,
        what: &'static str,
        breaker: &Breaker<OffsetDateTime>,
        request: reqwest::RequestBuilder,
    ) -> Result<Said, SignInError> {
        let away = |cause: settings_domain::ports::Cause| {
            tracing::warn!(endpoint = what, cause = %cause, "the identity provider does not answer");
            SignInError::Unavailable(cause)
        };
        let pass = breaker
            .enter(self.clock.now())
            .ok_or_else(|| SignInError::Unavailable(NoAnswer::LeftAlone(what).into()))?;
        let again = request.try_clone();
        let mut sent = request.send().await;
        if sent.as_ref().is_err_and(reqwest::Error::is_connect)
            && let Some(again) = again
        {
            sent = again.send().await;
        }
        let outcome = match sent {
            Ok(mut response) => {
                let status = response.status().as_u16();
                if status == 429 || status >= 500 {
                    Err(NoAnswer::Status(what, status).into())
                } else {
                    match fetch::read(&mut response).await {
                        Ok(Some(body)) => Ok(Said { status, body }),
                        Ok(None) => Err(NoAnswer::TooLarge(what).into()),
                        Err(error) => Err(error.without_url().into()),
                    }
                }
            }
            Err(error) => Err(error.without_url().into()),
        };
        match outcome {
            Ok(said) => {
                pass.answered();
                Ok(said)
            }
            Err(cause) => {
                if pass.failed(self.clock.now()) {
                    tracing::warn!(
                        endpoint = what,
                        "the identity provider is left alone for {} s",
                        LEFT_ALONE.as_secs()
                    );
                }
                Err(away(cause))
            }
        }
    }
}

/// The provider's word for what is wrong, as long as it is one of its words.
fn refusal(said: &Said) -> Option<String> {
    let refused: Refused = serde_json::from_slice(&said.body).ok()?;
    let plain = refused.error.len() <= 64 && refused.error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    plain.then_some(refused.error)
}

fn is_unknown_client(said: &Said) -> bool {
    matches!(said.status, 400 | 401 | 403) && refusal(said).as_deref() == Some("invalid_client")
}

fn granted(said: &Said) -> Result<Tokens, SignInError> {
    if said.status != 200 {
        let word = refusal(said).unwrap_or_default();
        tracing::warn!(status = said.status, error = word, "the provider refused to exchange a code");
        return Err(match word.as_str() {
            "invalid_grant" => SignInError::Invalid("the code is unknown, was used or is too old"),
            "invalid_client" | "unauthorized_client" => {
                SignInError::Misconfigured("the provider does not know this client, or it has another secret")
            }
            _ => SignInError::Misconfigured("the provider refused to exchange the code"),
        });
    }
    let granted: Granted =
        serde_json::from_slice(&said.body).map_err(|_| SignInError::Invalid("the token answer is malformed"))?;
    let id = granted.id_token.ok_or(SignInError::Invalid("the provider gave no ID token"))?;
    Ok(Tokens { id: id.into(), access: granted.access_token.map(SecretString::from) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Said {
        Said { status, body: body.as_bytes().to_vec() }
    }
    fn failed(status: u16, body: &str) -> String {
        granted(&said(status, body)).map_or_else(|e| e.to_string(), |_| "granted".to_owned())
    }

    #[test]
    fn what_the_provider_refuses_is_told_apart() {
        assert!(failed(400, r#"{"error":"invalid_grant"}"#).contains("the code is unknown"));
        for word in ["invalid_client", "unauthorized_client"] {
            assert!(failed(401, &format!(r#"{{"error":"{word}"}}"#)).contains("another secret"));
        }
        for body in [r#"{"error":"invalid_scope"}"#, r#"{"error":"<script>"}"#, "", "[]", "<html>"] {
            assert!(failed(400, body).contains("refused to exchange"), "{body}");
        }
        assert!(failed(302, "").contains("refused to exchange"));
    }

    #[test]
    fn an_answer_without_an_id_token_is_none() {
        assert!(failed(200, r#"{"access_token":"a"}"#).contains("no ID token"));
        assert!(failed(200, r#"{"id_token":7}"#).contains("malformed"));
        assert_eq!(failed(200, r#"{"id_token":"a.b.c","token_type":"Bearer"}"#), "granted");
    }
}
