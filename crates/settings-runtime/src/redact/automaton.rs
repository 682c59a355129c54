//! Aho–Corasick over bytes: one pass over the text, whatever the number of patterns.
//!
//! Our own and not the `aho-corasick` crate's, which does not wipe what it is made of, and which finds overlapping
//! occurrences in a whole text but not across pieces.
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// A state: how much of which pattern the text's end could be. State 0 is none.
pub(super) type State = u32;

/// States by number. Number 0 also stands for "there is none", because no state leads to it.
pub(super) struct Automaton {
    /// The byte that leads to the state. What the patterns are made of, so it is wiped.
    bytes: Zeroizing<Vec<u8>>,
    first_child: Vec<State>,
    next_sibling: Vec<State>,
    /// Where to go on when no child fits: the longest proper suffix that is a state.
    fallback: Vec<State>,
    /// How long the longest pattern is that ends here.
    hit: Vec<u32>,
    /// How many bytes of a pattern this state is.
    depth: Vec<u32>,
    /// The first state's children by byte: most of a text is read in the first state.
    start: [State; 256],
}

fn at(list: &[u32], state: State) -> u32 {
    list.get(state as usize).copied().unwrap_or_default()
}

fn put(list: &mut [u32], state: State, value: u32) {
    if let Some(slot) = list.get_mut(state as usize) {
        *slot = value;
    }
}

impl Automaton {
    /// For these patterns, none of which is empty. All of them together must be less than 4 GiB.
    pub(super) fn new(patterns: &[&[u8]]) -> Self {
        let most = 1 + patterns.iter().map(|pattern| pattern.len()).sum::<usize>();
        // Room for all of it: growing would leave copies of the patterns behind in freed memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(most));
        bytes.push(0);
        let list = || vec![0; 1];
        let (first_child, next_sibling, fallback, hit, depth) = (list(), list(), list(), list(), list());
        let mut automaton = Self { bytes, first_child, next_sibling, fallback, hit, depth, start: [0; 256] };
        for pattern in patterns {
            automaton.insert(pattern);
        }
        automaton.link();
        automaton
    }

    fn insert(&mut self, pattern: &[u8]) {
        let mut state = 0;
        let mut length = 0;
        for byte in pattern {
            length += 1;
            state = match self.child(state, *byte) {
                0 => self.add(state, *byte, length),
                child => child,
            };
        }
        put(&mut self.hit, state, length);
    }

    fn add(&mut self, parent: State, byte: u8, depth: u32) -> State {
        let state = u32::try_from(self.bytes.len()).unwrap_or_default();
        self.bytes.push(byte);
        self.first_child.push(0);
        self.next_sibling.push(at(&self.first_child, parent));
        put(&mut self.first_child, parent, state);
        self.fallback.push(0);
        self.hit.push(0);
        self.depth.push(depth);
        if parent == 0
            && let Some(slot) = self.start.get_mut(usize::from(byte))
        {
            *slot = state;
        }
        state
    }

    /// Finds each state's fallback, shorter states first.
    fn link(&mut self) {
        let mut queue = VecDeque::from([0]);
        while let Some(parent) = queue.pop_front() {
            let mut child = at(&self.first_child, parent);
            while child != 0 {
                let byte = self.bytes.get(child as usize).copied().unwrap_or_default();
                let fallback = if parent == 0 { 0 } else { self.step(at(&self.fallback, parent), byte) };
                put(&mut self.fallback, child, fallback);
                if at(&self.hit, child) == 0 {
                    let shorter = at(&self.hit, fallback);
                    put(&mut self.hit, child, shorter);
                }
                queue.push_back(child);
                child = at(&self.next_sibling, child);
            }
        }
    }

    fn child(&self, state: State, byte: u8) -> State {
        if state == 0 {
            return self.start.get(usize::from(byte)).copied().unwrap_or_default();
        }
        let mut child = at(&self.first_child, state);
        while child != 0 && self.bytes.get(child as usize) != Some(&byte) {
            child = at(&self.next_sibling, child);
        }
        child
    }

    /// The state after one more byte of text.
    pub(super) fn step(&self, mut state: State, byte: u8) -> State {
        loop {
            let child = self.child(state, byte);
            if child != 0 || state == 0 {
                return child;
            }
            state = at(&self.fallback, state);
        }
    }

    /// The length of the longest pattern that ends where the text is now; 0 for none.
    pub(super) fn hit(&self, state: State) -> usize {
        at(&self.hit, state) as usize
    }

    /// How many of the text's last bytes could belong to a pattern that has not ended yet.
    pub(super) fn undecided(&self, mut state: State) -> usize {
        // Where no pattern goes on, only what is shorter can.
        while state != 0 && at(&self.first_child, state) == 0 {
            state = at(&self.fallback, state);
        }
        at(&self.depth, state) as usize
    }
}
