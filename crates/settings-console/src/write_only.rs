//! Values that people type and no page shows: variables, secrets, credentials.
//!
//! A form that has to be shown again (a fault, a confirmation) can't repeat such a value. It carries it as a draft instead:
//! sealed for this session, this form and this field, for a quarter of an hour. So nobody types a certificate twice, and no
//! page, history or cache holds it.
use crate::{cx::Cx, form::Faults};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{sealed::SecretValue, text::TextError};

/// How long a draft opens, in seconds.
const LIFETIME: i64 = 15 * 60;

/// The hidden field beside a field, which holds its draft.
pub(crate) fn draft_of(name: &str) -> String {
    format!("{name}-draft")
}

/// What a write-only field was sent with.
#[derive(Debug)]
pub(crate) enum Entered {
    /// Nothing: what is stored stays, where something is.
    Nothing,
    /// A value, typed now or carried along.
    Value(SecretString),
    /// A draft that is too old, or not ours.
    Lost,
}

impl Cx {
    fn draft_context(&self, name: &str) -> Vec<u8> {
        let path = self.address.split('?').next().unwrap_or_default();
        format!("console-draft|{}|{path}|{name}", self.session).into_bytes()
    }

    /// Reads a write-only field. Text areas send line ends as CR LF, whatever was typed; a line feed is what is kept.
    pub(crate) fn entered(&self, name: &str) -> Entered {
        let typed = self.field(name);
        if !typed.is_empty() {
            return Entered::Value(SecretString::from(typed.replace("\r\n", "\n")));
        }
        let draft = self.field(&draft_of(name));
        if draft.is_empty() {
            return Entered::Nothing;
        }
        let opened = self.site().app().ports().mint.open_draft(&self.draft_context(name), draft);
        let kept = opened.as_ref().and_then(|text| text.expose_secret().split_once('\n'));
        match kept {
            Some((until, value)) if until.parse().is_ok_and(|until: i64| self.at.unix_timestamp() < until) => {
                Entered::Value(SecretString::from(value))
            }
            _ => Entered::Lost,
        }
    }

    /// What a form carries of a write-only field when it is shown again.
    pub(crate) fn draft(&self, name: &str) -> Option<String> {
        let Entered::Value(value) = self.entered(name) else { return None };
        let until = self.at.unix_timestamp() + LIFETIME;
        let text = SecretString::from(format!("{until}\n{}", value.expose_secret()));
        self.site().app().ports().mint.seal_draft(&self.draft_context(name), &text).ok()
    }

    /// Reads a write-only field as a value, or notes why it is none. `required` is what is said where nothing was entered.
    pub(crate) fn value(
        &self,
        faults: &mut Faults,
        name: &'static str,
        subject: &str,
        required: Option<&str>,
    ) -> Option<SecretValue> {
        match self.entered(name) {
            Entered::Value(text) => match SecretValue::new(text) {
                Ok(value) => return Some(value),
                Err(TextError(why)) => faults.field(name, format!("{subject} {why}.")),
            },
            Entered::Lost => faults.field(name, "What you entered was kept for 15 minutes. Enter it again."),
            Entered::Nothing => {
                if let Some(text) = required {
                    faults.field(name, text);
                }
            }
        }
        None
    }
}
