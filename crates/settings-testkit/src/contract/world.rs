//! What an adapter brings to be tried out.
use crate::{
    entropy::SeededEntropy,
    fake::{FakeStore, START},
    seal::PlainSealer,
};
use settings_app::AnyStore;
use settings_domain::{
    ids::WorkspaceId,
    ports::{Clock, audit::AuditSealer, keyring::RootKeyStore},
};
use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc};
use time::Duration;

/// A boxed future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Advance = Box<dyn Fn(Duration) -> BoxFuture<()> + Send + Sync>;
type TamperHook = Box<dyn Fn(WorkspaceId, Tamper) -> BoxFuture<()> + Send + Sync>;

/// A change of a workspace's stored audit chain behind the service's back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tamper {
    /// Changes a public field of the event at this place.
    EditEvent(i64),
    /// Drops the event at this place.
    DeleteEvent(i64),
    /// Lets two events trade their places.
    SwapEvents(i64, i64),
    /// Drops every event after this place.
    TruncateAfter(i64),
    /// Changes what opens a commitment of the event at this place.
    EditOpening(i64),
    /// Puts the other workspace's event of this place in the place of one's own.
    CopyFromOtherTenant {
        /// The workspace to copy from.
        other: WorkspaceId,
        /// The place.
        seq: i64,
    },
    /// Drops the mark that says where the chain ends.
    ForgetHead,
}

/// A fresh, empty, migrated store, and what is needed to try it.
pub struct World {
    /// The store.
    pub store: Arc<dyn AnyStore>,
    /// Where the service's root key is kept.
    pub root_keys: Arc<dyn RootKeyStore>,
    /// The sealer that the store was made with.
    pub sealer: Arc<dyn AuditSealer>,
    /// The process's clock.
    pub clock: Arc<dyn Clock>,
    /// Ids, different from those of every other world.
    pub entropy: Arc<SeededEntropy>,
    advance: Option<Advance>,
    tamper: Option<TamperHook>,
    kept: Option<Box<dyn Any + Send + Sync>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("keeps", &self.kept.is_some()).finish_non_exhaustive()
    }
}

impl World {
    /// Of a store, with a clock that cannot be moved and tables that cannot be tampered with.
    #[must_use]
    pub fn new(
        store: Arc<dyn AnyStore>,
        root_keys: Arc<dyn RootKeyStore>,
        sealer: Arc<dyn AuditSealer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            root_keys,
            sealer,
            clock,
            entropy: Arc::new(SeededEntropy::new(1)),
            advance: None,
            tamper: None,
            kept: None,
        }
    }
    /// With something that has to live as long as the world, such as the folder of its files.
    #[must_use]
    pub fn keeping(mut self, guard: impl Any + Send + Sync) -> Self {
        self.kept = Some(Box::new(guard));
        self
    }
    /// With a way to let time pass: moving the clock on, or everything that is stored back.
    #[must_use]
    pub fn with_advance(mut self, advance: impl Fn(Duration) -> BoxFuture<()> + Send + Sync + 'static) -> Self {
        self.advance = Some(Box::new(advance));
        self
    }
    /// With a way to change what is stored behind the service's back.
    #[must_use]
    pub fn with_tamper(mut self, t: impl Fn(WorkspaceId, Tamper) -> BoxFuture<()> + Send + Sync + 'static) -> Self {
        self.tamper = Some(Box::new(t));
        self
    }
    /// The fake, which can do everything.
    #[must_use]
    pub fn fake() -> Self {
        let sealer: Arc<dyn AuditSealer> = Arc::new(PlainSealer);
        let store = Arc::new(FakeStore::new(Arc::clone(&sealer)));
        debug_assert_eq!(store.now(), START);
        let (clock, tampered) = (Arc::clone(&store), Arc::clone(&store));
        Self::new(Arc::clone(&store) as _, Arc::clone(&store) as _, sealer, Arc::clone(&store) as _)
            .with_advance(move |by| {
                clock.advance(by);
                Box::pin(std::future::ready(()))
            })
            .with_tamper(move |workspace, how| {
                tampered.tamper(workspace, &how);
                Box::pin(std::future::ready(()))
            })
    }

    /// Lets time pass.
    ///
    /// # Panics
    /// When this world has no way to: better a case that fails than one that says nothing.
    pub async fn pass(&self, time: Duration) {
        self.advance.as_ref().expect("this world cannot let time pass: give it `with_advance`")(time).await;
    }
    /// Tampers with the chain of a workspace.
    ///
    /// # Panics
    /// When this world has no way to.
    pub async fn tamper(&self, workspace: WorkspaceId, how: Tamper) {
        self.tamper.as_ref().expect("this world cannot be tampered with: give it `with_tamper`")(workspace, how).await;
    }
}
