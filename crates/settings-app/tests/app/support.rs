//! An [`App`] over the fake store.
use settings_app::{App, Ports, Rules};
use settings_domain::{ports::vault::Vault, text::Email};
use settings_testkit::{
    entropy::{FixedClock, FixedMint, SeededEntropy},
    fake::FakeStore,
    seal::PlainSealer,
    vault::{FixedOutbound, FixedProber, FixedVault},
};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) store: FakeStore,
}

pub(crate) fn email(text: &str) -> Email {
    text.parse().unwrap()
}

pub(crate) fn stage() -> Stage {
    stage_with(|store, clock| Arc::new(FixedVault::new(store, clock)))
}

pub(crate) fn stage_with(vault: impl FnOnce(Arc<FakeStore>, Arc<FixedClock>) -> Arc<dyn Vault>) -> Stage {
    let sealer = Arc::new(PlainSealer);
    let store = FakeStore::new(sealer.clone());
    let ports = Ports {
        store: Arc::new(store.clone()),
        mint: Arc::new(FixedMint),
        sealer,
        vault: vault(Arc::new(store.clone()), Arc::new(FixedClock(store.now()))),
        outbound: Arc::new(FixedOutbound),
        prober: Arc::new(FixedProber),
        kept_mail: None,
        slack: None,
        billing: None,
        verifier: None,
        provider: None,
        clock: Arc::new(FixedClock(store.now())),
        entropy: Arc::new(SeededEntropy::new(7)),
    };
    let rules = Rules {
        floor_days: 30,
        regions: vec!["eu-central-1".parse().unwrap()],
        platform_emails: BTreeSet::from([email("root@platform.example").key().clone()]),
        platform_subjects: BTreeSet::new(),
        public_url: "https://settings.example".to_owned(),
    };
    Stage { app: App::new(ports, rules), store }
}
