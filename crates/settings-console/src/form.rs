//! Faults of a form: every one at once, each beside its field.
use crate::refusal::Rule;
use http::StatusCode;
use std::{fmt::Display, str::FromStr};

/// What is wrong with a form that was sent.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    of_fields: Vec<(&'static str, String)>,
    of_form: Vec<String>,
    status: Option<StatusCode>,
}

impl Faults {
    /// A fault of a field.
    pub(crate) fn field(&mut self, name: &'static str, text: impl Into<String>) {
        self.of_fields.push((name, text.into()));
    }
    /// A fault of a field, unless it has one already.
    pub(crate) fn missing(&mut self, name: &'static str, text: &str) {
        if self.of(name).is_none() {
            self.field(name, text);
        }
    }
    /// Reads a field, or notes why it can't be: `subject` begins the sentence, such as "The name".
    pub(crate) fn parse<T: FromStr<Err: Display>>(
        &mut self,
        name: &'static str,
        subject: &str,
        text: &str,
    ) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(e) => {
                self.field(name, format!("{subject} {e}."));
                None
            }
        }
    }
    /// The rule of a use case: beside the field that `fields` names for its pointer, else above the form.
    pub(crate) fn rule(&mut self, rule: Rule, fields: &[(&str, &'static str)]) {
        self.status = Some(rule.status);
        let field = rule.pointer.and_then(|p| fields.iter().find(|(pointer, _)| *pointer == p));
        match field {
            Some((_, name)) => self.field(name, rule.text),
            None => self.of_form.push(rule.text),
        }
    }
    pub(crate) fn of(&self, name: &str) -> Option<&str> {
        self.of_fields.iter().find(|(n, _)| *n == name).map(|(_, t)| t.as_str())
    }
    pub(crate) fn of_form(&self) -> &[String] {
        &self.of_form
    }
    pub(crate) fn none(&self) -> bool {
        self.of_fields.is_empty() && self.of_form.is_empty()
    }
    /// The answer's status: 200 for a form nobody has sent yet.
    pub(crate) fn status(&self) -> StatusCode {
        match self.status {
            Some(status) => status,
            None if self.none() => StatusCode::OK,
            None => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}
