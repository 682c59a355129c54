//! One trait, and the comparison of two that have it.
use crate::request::{Case, Question, Situation};

/// A policy that can be asked.
pub trait Evaluator: Sync {
    /// What it is called in reports.
    fn name(&self) -> &'static str;
    /// The answers to some questions about one situation, in their order.
    fn answer(&self, situation: &Situation, questions: &[Question]) -> Result<Vec<bool>, Trouble>;
}

/// A policy could not be asked. Never an answer: a fault is no "no".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{evaluator} can't answer: {cause}")]
pub struct Trouble {
    /// Which one.
    pub evaluator: &'static str,
    /// In its own words.
    pub cause: String,
}

/// A request on which two policies differ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} says {}, {} says {}: {case}", .says.0.0, word(.says.0.1), .says.1.0, word(.says.1.1))]
pub struct Difference {
    /// The request.
    pub case: Case,
    /// Each one's name and answer.
    pub says: ((&'static str, bool), (&'static str, bool)),
}

const fn word(allowed: bool) -> &'static str {
    if allowed { "yes" } else { "no" }
}

/// Why a comparison ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// They differ.
    #[error(transparent)]
    Differ(#[from] Box<Difference>),
    /// One could not be asked.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// Puts the same questions to both, and stops at the first on which they differ.
pub fn compare(
    one: &dyn Evaluator,
    other: &dyn Evaluator,
    situation: &Situation,
    questions: &[Question],
) -> Result<(), Halt> {
    let (ones, others) = (one.answer(situation, questions)?, other.answer(situation, questions)?);
    for (evaluator, answers) in [(one, &ones), (other, &others)] {
        if answers.len() != questions.len() {
            let cause = format!("{} answers to {} questions", answers.len(), questions.len());
            return Err(Trouble { evaluator: evaluator.name(), cause }.into());
        }
    }
    for (question, (a, b)) in questions.iter().zip(ones.into_iter().zip(others)) {
        if a != b {
            let case = Case { situation: *situation, question: *question };
            return Err(Box::new(Difference { case, says: ((one.name(), a), (other.name(), b)) }).into());
        }
    }
    Ok(())
}
