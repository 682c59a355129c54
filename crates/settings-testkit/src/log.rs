//! What is logged while a test runs, by the code under test and by the libraries under it.
use crate::peers::Failed;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

/// A log that a test reads.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes down everything at level trace from now on, on every thread. Once in a process.
    pub fn of_everything() -> Result<Self, Failed> {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        subscriber.with_writer(log.clone()).try_init()?;
        Ok(log)
    }

    /// What was logged so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}
