//! The finite domain, and requests made up at random.
use crate::request::{Case, Expiry, Membership, Question, Situation, TASKS};
use proptest::{
    prelude::{Strategy, any},
    sample::select,
};
use settings_domain::policy::{Role, Scope, ScopeSet};

const BOTH: [bool; 2] = [false, true];
const EXPIRIES: [Expiry; 4] = [Expiry::Never, Expiry::Ahead, Expiry::Now, Expiry::Behind];

/// How much of the finite domain. Accounts, invitees and tasks are always all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Of the sets of scopes: none, each alone, each pair, and all of these turned around. For a key that doesn't work: no pairs.
    Short,
    /// All 65,536 sets of scopes, for a key that works. For one that doesn't, those of [`Extent::Short`].
    ScopeSets,
    /// Everything: every set of scopes in every state of the key.
    Whole,
}

fn memberships() -> Vec<Membership> {
    let roles = Role::ALL.into_iter();
    let of_a_role = roles.flat_map(|role| [Membership::Former(role), Membership::Active(role)]);
    [Membership::None].into_iter().chain(of_a_role).collect()
}

fn accounts() -> impl Iterator<Item = Situation> {
    let states = BOTH.into_iter().flat_map(|platform| BOTH.map(|deleted| (platform, deleted)));
    states.flat_map(|(platform, deleted)| {
        memberships().into_iter().flat_map(move |here| {
            memberships().into_iter().map(move |elsewhere| Situation::Account { platform, here, elsewhere, deleted })
        })
    })
}

fn service() -> impl Iterator<Item = Situation> {
    BOTH.into_iter().flat_map(|foreign| {
        let tasks = TASKS.into_iter().map(move |task| Situation::Service { task, foreign });
        [Situation::Invitee { foreign }].into_iter().chain(tasks)
    })
}

/// No scope and each alone, with each pair on request; and all of these turned around.
fn few_scope_sets(pairs: bool) -> impl Iterator<Item = ScopeSet> {
    let bit = |s: Scope| 1_u16 << s as u8;
    let two = Scope::ALL.into_iter().filter(move |_| pairs);
    let two = two.flat_map(move |a| Scope::ALL.into_iter().filter(move |b| a < *b).map(move |b| bit(a) | bit(b)));
    let bits = [0].into_iter().chain(Scope::ALL.into_iter().map(bit)).chain(two);
    bits.flat_map(|bits| [bits, !bits]).map(ScopeSet::from_bits)
}

fn keys(extent: Extent) -> impl Iterator<Item = Situation> {
    let states = BOTH.into_iter().flat_map(|foreign| {
        BOTH.into_iter().flat_map(move |revoked| {
            EXPIRIES.into_iter().flat_map(move |expiry| BOTH.map(|deleted| (foreign, revoked, expiry, deleted)))
        })
    });
    states.flat_map(move |(foreign, revoked, expiry, deleted)| {
        let works = (foreign, revoked, expiry, deleted) == (false, false, Expiry::Never, false);
        let sets: Box<dyn Iterator<Item = ScopeSet>> = match extent {
            Extent::Whole => Box::new((0..=u16::MAX).map(ScopeSet::from_bits)),
            Extent::ScopeSets if works => Box::new((0..=u16::MAX).map(ScopeSet::from_bits)),
            Extent::Short | Extent::ScopeSets => Box::new(few_scope_sets(works)),
        };
        sets.map(move |scopes| Situation::Key { scopes, foreign, revoked, expiry, deleted })
    })
}

/// Every situation of the domain, to this extent. The questions are [`Question::all`].
pub fn situations(extent: Extent) -> impl Iterator<Item = Situation> {
    accounts().chain(service()).chain(keys(extent))
}

/// How many situations [`situations`] has.
#[must_use]
pub const fn size(extent: Extent) -> u64 {
    const FEW: u64 = 2 * (1 + 16);
    const PAIRS: u64 = 2 * 120;
    const ALL: u64 = 65_536;
    const STATES: u64 = 2 * 2 * 4 * 2;
    let keys = match extent {
        Extent::Short => STATES * FEW + PAIRS,
        Extent::ScopeSets => (STATES - 1) * FEW + ALL,
        Extent::Whole => STATES * ALL,
    };
    2 * 2 * 7 * 7 + 2 * (1 + TASKS.len() as u64) + keys
}

/// A situation at random. It shrinks towards an account that is nobody and a key without scopes.
pub fn any_situation() -> impl Strategy<Value = Situation> {
    let membership = || select(memberships());
    let account = (any::<bool>(), membership(), membership(), any::<bool>())
        .prop_map(|(platform, here, elsewhere, deleted)| Situation::Account { platform, here, elsewhere, deleted });
    // Twelve in sixteen keys work: in the others, scopes make no difference.
    let state = proptest::prop_oneof![
        3 => proptest::strategy::Just((false, false, Expiry::Never, false)),
        1 => (any::<bool>(), any::<bool>(), select(EXPIRIES.as_slice()), any::<bool>()),
    ];
    let key = (any::<u16>(), state).prop_map(|(bits, (foreign, revoked, expiry, deleted))| Situation::Key {
        scopes: ScopeSet::from_bits(bits),
        foreign,
        revoked,
        expiry,
        deleted,
    });
    let service = select(service().collect::<Vec<_>>());
    proptest::prop_oneof![3 => account, 6 => key, 1 => service]
}

/// A request at random.
pub fn any_case() -> impl Strategy<Value = Case> {
    (any_situation(), select(Question::all())).prop_map(|(situation, question)| Case { situation, question })
}
