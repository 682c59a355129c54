//! What stands against a change, sorted by what a form does about it.
use crate::stop::Stop;
use http::StatusCode;
use settings_app::failure::Failure;
use settings_domain::{
    error::{Classified, Kind, Refused},
    impact::Impact,
};

/// What a form does about a refusal.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Somebody else was first: shows both versions.
    Stale,
    /// It would break something: lists it and asks.
    Unconfirmed(Impact),
    /// The same form was sent before with other content.
    Reused,
    /// A rule stands against it: says so, beside the field where it has one.
    Rule(Rule),
}

/// A rule and where it is said.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) status: StatusCode,
    /// The field of the API, such as `/email`.
    pub(crate) pointer: Option<&'static str>,
    pub(crate) text: String,
}

impl Rule {
    /// Somebody else changed the thing that was to be deleted, sealed or rotated.
    pub(crate) fn changed_meanwhile(what: &str) -> Self {
        let text =
            format!("Somebody changed this {what} meanwhile. Look at it again, then go on if you still want to.");
        Self { status: StatusCode::PRECONDITION_FAILED, pointer: None, text }
    }
}

impl Refusal {
    /// Sorts a failure; what no form can help with stops the page.
    pub(crate) fn of<E: Classified>(failure: Failure<E>) -> Result<Self, Stop> {
        match failure {
            Failure::Entry(e) => Err(e.into()),
            Failure::Store(e) => Err(e.into()),
            Failure::KeyReused => Ok(Self::Reused),
            Failure::Refused(Refused::Stale) => Ok(Self::Stale),
            Failure::Refused(Refused::Unconfirmed(impact)) => Ok(Self::Unconfirmed(impact)),
            Failure::Refused(Refused::Rule(e)) => {
                let status = match e.kind() {
                    Kind::NotFound => return Err(Stop::NotFound),
                    Kind::Gone => StatusCode::GONE,
                    Kind::Conflict => StatusCode::CONFLICT,
                    Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
                    Kind::Forbidden => StatusCode::FORBIDDEN,
                };
                Ok(Self::Rule(Rule { status, pointer: e.pointer(), text: e.to_string() }))
            }
        }
    }
    /// For forms that carry a version and can't show what changed: says that something did.
    pub(crate) fn or_changed(self, what: &str) -> Result<Rule, Stop> {
        if matches!(self, Self::Stale) { Ok(Rule::changed_meanwhile(what)) } else { self.rule() }
    }
    /// For forms that carry neither version nor confirmation.
    pub(crate) fn rule(self) -> Result<Rule, Stop> {
        match self {
            Self::Rule(rule) => Ok(rule),
            Self::Reused => Ok(Rule {
                status: StatusCode::CONFLICT,
                pointer: None,
                text: "This form was sent before with other content. Open it again.".to_owned(),
            }),
            Self::Stale | Self::Unconfirmed(_) => Err(Stop::Internal),
        }
    }
}
