//! Output in pieces: what has been read and cannot be given away yet.
use super::{Redactor, automaton::State};
use std::{collections::VecDeque, fmt};
use zeroize::Zeroizing;

/// One output. What goes out does not depend on where the pieces are cut.
///
/// At most as much as the longest spelling is held back. What is left of it when the output ends comes out with
/// [`Stream::finish`]; a stream that is dropped instead swallows it.
pub struct Stream<'a> {
    redactor: &'a Redactor,
    state: State,
    /// What has been read and not given away.
    held: Zeroizing<Vec<u8>>,
    /// Where `held` begins, counted from the output's beginning. So are the spans.
    base: usize,
    /// What is to be masked: sorted, apart from each other, ending after `base`.
    spans: VecDeque<Span>,
}

struct Span {
    start: usize,
    end: usize,
    /// Its mask has been given away; the rest of it goes without one.
    masked: bool,
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

impl<'a> Stream<'a> {
    pub(super) fn new(redactor: &'a Redactor) -> Self {
        let (held, spans) = (Zeroizing::default(), VecDeque::new());
        Self { redactor, state: 0, held, base: 0, spans }
    }

    /// Takes the next piece and appends what can be given away.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let automaton = &self.redactor.automaton;
        let read = self.base + self.held.len();
        self.held.extend_from_slice(piece);
        for (position, byte) in piece.iter().enumerate() {
            self.state = automaton.step(self.state, *byte);
            let hit = automaton.hit(self.state);
            if hit > 0 {
                self.cover(read + position + 1, hit);
            }
        }
        let undecided = automaton.undecided(self.state);
        self.release(self.base + self.held.len().saturating_sub(undecided), out);
    }

    /// Appends what is left: nothing follows that could make it part of a value.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.release(self.base + self.held.len(), out);
    }

    /// Masks the `length` bytes before `end`. Spans that overlap become one; spans that touch stay two, because whether
    /// the first has been given away already would depend on the pieces.
    fn cover(&mut self, end: usize, length: usize) {
        let mut span = Span { start: end.saturating_sub(length), end, masked: false };
        while let Some(last) = self.spans.pop_back_if(|last| last.end > span.start) {
            span.start = span.start.min(last.start);
            span.masked |= last.masked;
        }
        self.spans.push_back(span);
    }

    /// Gives away everything before `until`.
    fn release(&mut self, until: usize, out: &mut Vec<u8>) {
        let mut given = 0;
        while self.base + given < until {
            let from = self.base + given;
            let (end, plain) = match self.spans.front_mut() {
                Some(span) if span.start <= from => {
                    if !span.masked {
                        out.extend_from_slice(self.redactor.mask.as_bytes());
                        span.masked = true;
                    }
                    (span.end.min(until), false)
                }
                Some(span) => (span.start.min(until), true),
                None => (until, true),
            };
            if plain {
                out.extend_from_slice(self.held.get(given..given + (end - from)).unwrap_or_default());
            }
            given += end - from;
            self.spans.pop_front_if(|span| span.end <= end);
        }
        self.base += given;
        self.held.drain(..given);
    }
}
