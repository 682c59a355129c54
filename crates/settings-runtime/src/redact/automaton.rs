//! Aho–Corasick over bytes: one pass over the text, whatever the number of patterns.
//!
//! Our own and not the `aho-corasick` crate's, which does not wipe what it is made of, and which finds overlapping
//! occurrences in a whole text but not across pieces.
//!
//! Patterns are long and share little, so most states have one child. A pattern's states that no earlier pattern had
//! are numbered in a row, a *run*: within it the child of a state is the next number, and only where a run branches off
//! another state there is an entry in a map. That makes nine bytes for each byte of pattern.
use std::collections::HashMap;
use zeroize::Zeroizing;

/// A state: how much of which pattern the text's end could be. State 0 is none.
pub(super) type State = u32;

/// The state is the first of a run: the one before it is not its parent.
const HEAD: u32 = 1 << 31;
/// A run branches off here.
const FORK: u32 = 1 << 30;
/// What is left of a link for the state.
const STATE: u32 = FORK - 1;

pub(super) struct Automaton {
    /// The byte that leads to the state. What the patterns are made of, so it is wiped.
    bytes: Zeroizing<Vec<u8>>,
    /// Where to go on when no child fits, the longest proper suffix that is a state; and the two flags.
    links: Vec<u32>,
    /// How long the longest pattern is that ends here.
    hits: Vec<u32>,
    /// In the order of their states.
    runs: Vec<Run>,
    /// The runs by what they branch off and by their first byte; except those that branch off state 0.
    forks: HashMap<(State, u8), State>,
    /// Those. Most of a text is read in state 0.
    start: [State; 256],
}

struct Run {
    first: State,
    parent: State,
    /// How many bytes of a pattern the first state is.
    depth: u32,
}

fn at(list: &[u32], state: State) -> u32 {
    list.get(state as usize).copied().unwrap_or_default()
}

impl Automaton {
    /// For these patterns, none of which is empty. All of them together must be less than a gibibyte.
    pub(super) fn new(patterns: &[&[u8]]) -> Self {
        let most = 1 + patterns.iter().map(|pattern| pattern.len()).sum::<usize>();
        // Room for all of it: growing would leave copies of the patterns behind in freed memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(most));
        bytes.push(0);
        let (mut links, mut hits) = (Vec::with_capacity(most), Vec::with_capacity(most));
        links.push(HEAD);
        hits.push(0);
        let mut automaton = Self { bytes, links, hits, runs: Vec::new(), forks: HashMap::new(), start: [0; 256] };
        for pattern in patterns {
            automaton.insert(pattern);
        }
        automaton.link();
        automaton
    }

    fn insert(&mut self, pattern: &[u8]) {
        let mut state = 0;
        let mut new = false;
        let mut depth = 0;
        for byte in pattern {
            depth += 1;
            let child = if new { 0 } else { self.child(state, *byte) };
            state = if child == 0 {
                let added = self.add(*byte, new);
                if !new {
                    self.begin(Run { first: added, parent: state, depth }, *byte);
                }
                new = true;
                added
            } else {
                child
            };
        }
        if let Some(hit) = self.hits.get_mut(state as usize) {
            *hit = depth;
        }
    }

    fn add(&mut self, byte: u8, within: bool) -> State {
        let state = u32::try_from(self.bytes.len()).unwrap_or_default();
        self.bytes.push(byte);
        self.links.push(if within { 0 } else { HEAD });
        self.hits.push(0);
        state
    }

    fn begin(&mut self, run: Run, byte: u8) {
        if run.parent == 0 {
            if let Some(slot) = self.start.get_mut(usize::from(byte)) {
                *slot = run.first;
            }
        } else {
            self.forks.insert((run.parent, byte), run.first);
            if let Some(link) = self.links.get_mut(run.parent as usize) {
                *link |= FORK;
            }
        }
        self.runs.push(run);
    }

    /// Finds each state's fallback. Shorter states first: a state's fallback is shorter than the state.
    fn link(&mut self) {
        let mut heads: Vec<(u32, State, State)> =
            self.runs.iter().map(|run| (run.depth, run.first, run.parent)).collect();
        heads.sort_unstable();
        let mut heads = heads.into_iter().peekable();
        let mut states: Vec<(State, State)> = Vec::new();
        for depth in 1.. {
            states.retain_mut(|(state, parent)| {
                *parent = *state;
                *state = self.next(*state);
                *state != 0
            });
            while let Some((_, first, parent)) = heads.next_if(|(head, ..)| *head == depth) {
                states.push((first, parent));
            }
            if states.is_empty() {
                break;
            }
            for (state, parent) in &states {
                self.link_one(*state, *parent);
            }
        }
    }

    fn link_one(&mut self, state: State, parent: State) {
        let byte = self.bytes.get(state as usize).copied().unwrap_or_default();
        let fallback = if parent == 0 { 0 } else { self.step(self.fallback(parent), byte) };
        let shorter = at(&self.hits, fallback);
        if let Some(link) = self.links.get_mut(state as usize) {
            *link |= fallback;
        }
        if let Some(hit) = self.hits.get_mut(state as usize).filter(|hit| **hit == 0) {
            *hit = shorter;
        }
    }

    fn fallback(&self, state: State) -> State {
        at(&self.links, state) & STATE
    }

    /// The child within the run; 0 for none.
    fn next(&self, state: State) -> State {
        match self.links.get(state as usize + 1) {
            Some(link) if link & HEAD == 0 => state + 1,
            _ => 0,
        }
    }

    /// The child by this byte; 0 for none.
    fn child(&self, state: State, byte: u8) -> State {
        if state == 0 {
            return self.start.get(usize::from(byte)).copied().unwrap_or_default();
        }
        let next = self.next(state);
        if next != 0 && self.bytes.get(next as usize) == Some(&byte) {
            next
        } else if at(&self.links, state) & FORK == 0 {
            0
        } else {
            self.forks.get(&(state, byte)).copied().unwrap_or_default()
        }
    }

    /// The state after one more byte of text.
    pub(super) fn step(&self, mut state: State, byte: u8) -> State {
        loop {
            let child = self.child(state, byte);
            if child != 0 || state == 0 {
                return child;
            }
            state = self.fallback(state);
        }
    }

    /// The length of the longest pattern that ends where the text is now; 0 for none.
    pub(super) fn hit(&self, state: State) -> usize {
        at(&self.hits, state) as usize
    }

    /// How many of the text's last bytes could belong to a pattern that has not ended yet.
    pub(super) fn undecided(&self, mut state: State) -> usize {
        // Where no pattern goes on, only what is shorter can.
        while state != 0 && self.next(state) == 0 && at(&self.links, state) & FORK == 0 {
            state = self.fallback(state);
        }
        // Runs are in the order of their states, and every state but 0 is in one.
        let runs = self.runs.partition_point(|run| run.first <= state);
        let run = runs.checked_sub(1).and_then(|run| self.runs.get(run));
        run.map_or(0, |run| (run.depth + state - run.first) as usize)
    }
}
