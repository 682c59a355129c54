//! What an answer, or its absence, means: for the person who has to do something about it.
//!
//! Every sentence is ours. None repeats anything that the other side said but its status.
use crate::question::Reading;
use settings_domain::models::{AuthType, Provider};
use settings_egress::{Refused, SendError};
use settings_runtime::authorize::AuthorizeError;

/// What was tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    pub(crate) provider: Provider,
    pub(crate) auth: AuthType,
    pub(crate) reading: Reading,
    /// Whether the credential was on the request.
    pub(crate) with_credential: bool,
}

impl Tried {
    const fn who(self) -> &'static str {
        match self.provider {
            Provider::Custom => "The provider",
            known => known.display_name(),
        }
    }
    const fn credential(self) -> &'static str {
        match self.auth {
            AuthType::Token => "token",
            AuthType::ClientKey => "client key",
        }
    }

    /// Whether the credential was accepted, and the sentence.
    pub(crate) fn answered(self, status: u16) -> (Option<bool>, String) {
        let (who, credential) = (self.who(), self.credential());
        match status {
            300..=399 => {
                let to_do = "redirects are not followed, so name the URL that it redirects to.";
                (None, format!("{who} redirects ({status}): {to_do}"))
            }
            408 | 500.. => (None, format!("{who} has a failure of its own ({status}): test again later.")),
            429 => {
                let to_do = "test again later, and check the quota of the account.";
                (None, format!("{who} limits calls now ({status}): {to_do}"))
            }
            _ if !self.with_credential => (None, self.untried()),
            200..=299 => (Some(true), format!("{who} accepted the {credential}.")),
            401 | 403 => (Some(false), self.refused(status)),
            // Google says so to a key that is none.
            400 if self.provider == Provider::Google => (Some(false), self.refused(status)),
            _ => self.unclear(status),
        }
    }

    fn refused(self, status: u16) -> String {
        let who = self.who();
        match (self.provider, self.auth) {
            (Provider::AwsBedrock, AuthType::ClientKey) => format!(
                "{who} refused the client key ({status}): check that key and secret belong together, that the key is \
                 active, and that it may invoke this model."
            ),
            _ if status == 403 => format!(
                "{who} refused the token ({status}): check that it is current, belongs to this account and may use its \
                 models."
            ),
            _ => format!("{who} refused the token ({status}): check that it is current and belongs to this account."),
        }
    }

    fn unclear(self, status: u16) -> (Option<bool>, String) {
        let (who, credential) = (self.who(), self.credential());
        match (self.reading, status) {
            (Reading::Invocation, 400) => (Some(true), format!("{who} accepted the {credential}.")),
            (Reading::Invocation, 404) => {
                let to_do = "check the model's id and the region in its URL.";
                (None, format!("{who} knows no such model ({status}): {to_do}"))
            }
            (Reading::Listing, 404 | 405) => {
                let to_do = "check the host of the model's URL.";
                (None, format!("Something answers, but not as {who} does ({status}): {to_do}"))
            }
            (Reading::Open, _) => (
                None,
                format!(
                    "{who} answers ({status}) and did not refuse the {credential}; whether it accepts it, a workflow's \
                     own call has to tell."
                ),
            ),
            _ => {
                let to_do = "check the model's URL.";
                (
                    None,
                    format!("{who} answers ({status}), which does not tell whether the {credential} is right: {to_do}"),
                )
            }
        }
    }

    fn untried(self) -> String {
        let who = self.who();
        if self.provider == Provider::AwsBedrock {
            return format!(
                "{who} answers. The client key was not tried: the host of the model's URL does not tell the region to \
                 sign for."
            );
        }
        format!(
            "{who} answers. The client key was not tried: how one is used differs from service to service, so a \
             workflow's own call has to tell."
        )
    }
}

/// Why the credential could not be put on the request, which was not sent then.
pub(crate) fn not_authorized(error: AuthorizeError) -> String {
    match error {
        AuthorizeError::NotHttps => {
            "The credential would travel unencrypted, so nothing was sent: use a URL that starts with https://.".to_owned()
        }
        AuthorizeError::CredentialNotPrintable => {
            "The credential has spaces or other characters that no request can carry, so nothing was sent: enter it again."
                .to_owned()
        }
        other => format!("The call can't be made as the model stands, so nothing was sent: {other}."),
    }
}

/// Whether it was over before anything was connected to. How long that took would tell about the operator's name servers.
pub(crate) const fn is_before_connecting(error: SendError) -> bool {
    matches!(error, SendError::Refused(_) | SendError::Busy | SendError::Resting | SendError::Resolve)
}

/// Why there is no answer; and whether there was the beginning of one.
pub(crate) fn unanswered(error: SendError) -> (bool, String) {
    let sentence = match error {
        // In the same words, whichever it is: the sentence does not tell which names a private network knows.
        SendError::Resolve | SendError::Refused(Refused::Answer) => {
            "No public address was found for the host of the model's URL: check how it is spelled. A host of a private \
             network has to be allowed by the operator."
                .to_owned()
        }
        SendError::Refused(Refused::Address | Refused::LocalName) => {
            "The model's URL leads to a private network, so nothing was sent: use a public address, or ask the operator to \
             allow that network."
                .to_owned()
        }
        SendError::Refused(refused) => format!("The model's URL can't be called, so nothing was sent: {refused}."),
        SendError::Busy => "Other tests of this workspace are under way: try again in a few seconds.".to_owned(),
        SendError::Resting => {
            "The last tests got no answer, so the host is left alone for half a minute: test again then.".to_owned()
        }
        SendError::Connect => {
            "No connection could be made: check the host and the port of the model's URL, and that the service is up."
                .to_owned()
        }
        SendError::Tls(fault) => format!(
            "The host could not show that it is who it should be, so nothing was sent: {fault}. Check the model's URL, and \
             the host's certificate."
        ),
        SendError::Timeout => "There was no answer in time: check that the service is up, and test again.".to_owned(),
        SendError::TooSlow => {
            return (true, "The answer began and did not end in time: test again later.".to_owned());
        }
        SendError::Protocol => "What answers does not speak HTTP: check the host and the port of the model's URL.".to_owned(),
        other => format!("The call failed: {other}."),
    };
    (false, sentence)
}
