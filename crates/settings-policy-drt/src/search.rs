//! The three parts of the search: known cases, the finite domain, requests made up at random.
use crate::{
    Case, Evaluator, Halt, Question, Trouble, compare,
    corpus::{self, Known, Wrong},
    domain::{self, Extent},
};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Two policies, to be put the same questions.
#[expect(missing_debug_implementations, reason = "two trait objects")]
pub struct Search<'a> {
    /// The one.
    pub one: &'a dyn Evaluator,
    /// The other.
    pub other: &'a dyn Evaluator,
    /// On how many threads.
    pub jobs: NonZero<usize>,
}

/// Told about every batch of requests that was asked.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

impl Search<'_> {
    /// The answers of the two that are not the corpus's. A case without an answer is right as it is.
    pub fn corpus(&self, known: &[Known]) -> Result<Vec<Wrong>, Trouble> {
        let mut wrong = Vec::new();
        for known in known {
            for evaluator in [self.one, self.other] {
                wrong.extend(corpus::check(evaluator, known)?);
            }
        }
        Ok(wrong)
    }

    /// How many requests [`Search::domain`] makes.
    #[must_use]
    pub fn requests_of(&self, extent: Extent) -> u64 {
        domain::size(extent) * Question::all().len() as u64
    }

    /// Every situation, with every question.
    pub fn domain(&self, extent: Extent, progress: Progress<'_>) -> Result<(), Halt> {
        let questions = Question::all();
        self.share(|job, found| {
            for situation in domain::situations(extent).skip(job).step_by(self.jobs.get()) {
                if found.load(Ordering::Relaxed) {
                    break;
                }
                compare(self.one, self.other, &situation, &questions)?;
                progress(questions.len() as u64);
            }
            Ok(())
        })
    }

    /// Requests at random; the difference that is found is a small one.
    pub fn random(&self, requests: u64, seed: u64, progress: Progress<'_>) -> Result<(), Halt> {
        let jobs = self.jobs.get() as u64;
        self.share(|job, found| {
            let job = job as u64;
            let mut left = requests / jobs + u64::from(job < requests % jobs);
            let mut round = 0;
            while left > 0 && !found.load(Ordering::Relaxed) {
                let cases = u32::try_from(left.min(10_000)).unwrap_or(10_000);
                // Each batch has a seed of its own, so that a search can be stopped and repeated.
                self.batch(cases, seed.wrapping_add(job << 40).wrapping_add(round))?;
                progress(u64::from(cases));
                left -= u64::from(cases);
                round += 1;
            }
            Ok(())
        })
    }

    fn batch(&self, cases: u32, seed: u64) -> Result<(), Halt> {
        let ask = |case: &Case| compare(self.one, self.other, &case.situation, &[case.question]);
        let config = Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config)
            .run(&domain::any_case(), |case| ask(&case).map_err(|halt| TestCaseError::fail(halt.to_string())));
        match result {
            Ok(()) => Ok(()),
            Err(TestError::Fail(_, smallest)) => ask(&smallest),
            Err(TestError::Abort(why)) => Err(Trouble { evaluator: "the generator", cause: why.to_string() }.into()),
        }
    }

    /// Runs a part on every thread. The first halt ends all of them.
    fn share(&self, part: impl Fn(usize, &AtomicBool) -> Result<(), Halt> + Sync) -> Result<(), Halt> {
        let (over, first) = (AtomicBool::new(false), Mutex::new(None));
        thread::scope(|scope| {
            for job in 0..self.jobs.get() {
                let (part, over, first) = (&part, &over, &first);
                scope.spawn(move || {
                    if let Err(halt) = part(job, over) {
                        over.store(true, Ordering::Relaxed);
                        first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(halt);
                    }
                });
            }
        });
        first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}
