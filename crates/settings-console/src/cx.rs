//! A person on a page of a workspace: who they are there, and what they may.
use crate::{
    pages::errors,
    respond,
    site::Site,
    stop::{Answer, Stop},
    visit::{Cookie, Visit},
};
use axum::{
    extract::{Request, State},
    response::Response,
    routing::{MethodRouter, get},
};
use http::{StatusCode, header};
use maud::Markup;
use secrecy::ExposeSecret as _;
use settings_domain::{
    audit::Receipts,
    idempotency::IdempotentCall,
    ids::SessionId,
    impact::Guard,
    members::User,
    policy::{Action, Actor, Decision, Mutation, Permission, Permit, Principal, actions, explain, permit},
    ports::store::Selector,
    text::Slug,
    transaction::{Call, Caller, Snapshot},
    workspaces::WorkspaceView,
};
use std::{future::Future, ops::Deref, sync::Arc};
use time::OffsetDateTime;

/// How long the word about a change waits for the next page, in seconds.
const FLASH_SECONDS: i64 = 60;

/// A signed-in person on a page of a workspace that they may see.
pub(crate) struct Cx {
    visit: Visit,
    pub(crate) session: SessionId,
    pub(crate) me: User,
    caller: Caller,
    actor: Actor,
    pub(crate) at: OffsetDateTime,
    pub(crate) view: WorkspaceView,
    /// What the last change left to say.
    pub(crate) flash: Option<String>,
}

impl Deref for Cx {
    type Target = Visit;
    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl Cx {
    /// Lets a visit in, or answers it: to sign in, or that there is no such workspace.
    async fn enter(visit: Visit) -> Result<Self, Response> {
        let bare = |stop: Stop, visit: &Visit| errors::bare(stop, visit);
        let (session, auth) = match visit.authenticate().await {
            Err(e) => return Err(bare(e.into(), &visit)),
            Ok(None) => return Err(to_sign_in(&visit)),
            Ok(Some(found)) => found,
        };
        if let Some(token) = visit.session_token()
            && let Err(wait) = visit.site.limit(|l| l.credential(token.expose_secret()))
        {
            return Err(bare(wait.into(), &visit));
        }
        let Some(me) = auth.user else { return Err(to_sign_in(&visit)) };
        let Ok(slug) = visit.param("slug").parse::<Slug>() else { return Err(bare(Stop::NotFound, &visit)) };
        let store = visit.site.app().ports().store.clone();
        let opened =
            Snapshot::<actions::ReadWorkspace>::open(store.as_ref(), &auth.caller, &Selector::Slug(slug)).await;
        let mut snapshot = opened.map_err(|e| bare(e.into(), &visit))?;
        let view = snapshot.workspace().await.map_err(|e| bare(e.into(), &visit))?;
        let (actor, at) = (*snapshot.permit().actor(), snapshot.at());
        drop(snapshot);
        if let Principal::Member { user, .. } | Principal::Platform { user, member: Some(_) } = actor.principal() {
            visit.site.app().saw_member(actor.workspace(), user, at);
        }
        let flash = visit.sealed_flash().and_then(|sealed| {
            let text = visit.site.app().ports().mint.open_cursor(&flash_context(session), sealed)?;
            String::from_utf8(text).ok()
        });
        Ok(Self { visit, session, me, caller: auth.caller, actor, at, view, flash })
    }

    /// Who calls, for what reads more than once and asks for the right again each time.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }
    pub(crate) fn site(&self) -> &Site {
        &self.visit.site
    }
    /// The address of a page of this workspace.
    pub(crate) fn url(&self, path: &str) -> String {
        let slug = self.view.workspace.slug.as_str();
        self.site().at(&format!("/{slug}/settings/{path}"))
    }
    /// Whether the policy lets this person: for what is shown. What is done is decided again under the tenant's lock.
    pub(crate) fn can(&self, permission: Permission) -> bool {
        self.explain(permission).allowed
    }
    /// The policy's answer with its reason.
    pub(crate) fn explain(&self, permission: Permission) -> Decision {
        explain(&self.actor, permission)
    }
    /// What they are here, in a word.
    pub(crate) const fn role(&self) -> &'static str {
        match self.actor.principal() {
            Principal::Member { role, .. } | Principal::Platform { member: Some((_, role)), .. } => {
                crate::ui::role_name(role)
            }
            _ => "Platform owner",
        }
    }
    /// The highest role they may offer.
    pub(crate) const fn rank(&self) -> Option<settings_domain::policy::Role> {
        self.actor.rank()
    }
    /// Proof of a right, to change something with.
    pub(crate) fn permit<A: Mutation>(&self) -> Result<Permit<A>, Stop> {
        Ok(permit::<A>(&self.actor, self.at)?)
    }
    /// Stops who may not do `A`: before a form is shown for it.
    pub(crate) fn require<A: Action>(&self) -> Result<(), Stop> {
        let _right = permit::<A>(&self.actor, self.at)?;
        Ok(())
    }
    /// A consistent view for who may do `A`.
    pub(crate) async fn snapshot<A: Action>(&self) -> Result<Snapshot<A>, Stop> {
        let store = self.site().app().ports().store.clone();
        Ok(Snapshot::open(store.as_ref(), &self.caller, &Selector::Id(self.view.workspace.id)).await?)
    }
    /// A view of the platform's own tenant, for its owners who may do `A`.
    pub(crate) async fn platform<A: Action>(&self) -> Result<Snapshot<A>, Stop> {
        self.require::<A>()?;
        let store = self.site().app().ports().store.clone();
        Ok(Snapshot::open(store.as_ref(), &self.caller, &Selector::Platform).await?)
    }
    /// What goes with a change: the version and the confirmation that the form carries.
    pub(crate) fn call(&self) -> Call {
        let version = self.field("version").parse().ok();
        let confirm = Some(self.field("confirm-digest")).filter(|c| !c.is_empty()).map(str::to_owned);
        Call {
            caller: self.caller.clone(),
            request: self.request.clone(),
            idempotent: None,
            guard: Guard { version, confirm },
            receipts: Receipts::default(),
        }
    }
    /// As [`Cx::call`], for a form that creates: sent twice, it makes one thing.
    pub(crate) fn call_once(&self, operation: &'static str) -> Call {
        let key = self.field("once");
        let good = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        let idempotent = good.then(|| {
            let workspace = self.view.workspace.id.as_uuid();
            let fields = self.visit.form().iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
            let parts: Vec<&[u8]> = std::iter::once(workspace.as_bytes().as_slice()).chain(fields).collect();
            // Keyed, since it is stored: a plain hash would let short values be guessed from the database.
            let fingerprint = self.site().app().ports().mint.fingerprint(&parts);
            IdempotentCall { principal: self.principal(), operation, key: key.to_owned(), fingerprint }
        });
        Call { idempotent, ..self.call() }
    }
    /// Who they are to limits and to repeated calls: the same as at the API.
    pub(crate) fn principal(&self) -> String {
        format!("user:{}", self.me.id)
    }
    /// A key for a form that creates; the one it was sent with where it is shown again.
    pub(crate) fn once(&self) -> String {
        match self.field("once") {
            "" => self.site().app().ports().entropy.uuid().to_string(),
            key => key.to_owned(),
        }
    }

    /// A page, shown.
    pub(crate) fn ok(markup: Markup) -> Answer {
        respond::shown(StatusCode::OK, markup)
    }
    /// 303 to a page of this workspace, with a word about what was done.
    #[expect(clippy::unnecessary_wraps, reason = "a handler's answer may be a stop; this is the usual end of one")]
    pub(crate) fn done(&self, path: &str, said: &str) -> Answer {
        let https = self.site().https();
        let response = respond::see_other(&self.url(path));
        let sealed = self.site().app().ports().mint.seal_cursor(&flash_context(self.session), said.as_bytes());
        Ok(match sealed {
            Ok(sealed) => respond::with_cookie(response, &Cookie::Flash.set(https, &sealed, FLASH_SECONDS)),
            Err(_) => response,
        })
    }
    /// Once shown, a word is forgotten. Not by a fragment, which script fetches on the way to the page.
    fn forget_flash(&self, response: Response) -> Response {
        let page = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
        if self.sealed_flash().is_some() && page && !self.fragment {
            return respond::with_cookie(response, &Cookie::Flash.set(self.site().https(), "", 0));
        }
        response
    }
}

fn flash_context(session: SessionId) -> Vec<u8> {
    format!("console-flash|{session}").into_bytes()
}

/// To the sign-in page, and back afterwards. A form that was posted leads back to the page it is on.
pub(crate) fn to_sign_in(visit: &Visit) -> Response {
    let back = visit.here().unwrap_or_default();
    respond::see_other(&visit.site.at(&format!("/sign-in{}", respond::query(&[("return_to", &back)]))))
}

/// Runs a handler for whoever gets in, and shows what stops it.
async fn run<F, Fut>(site: Arc<Site>, request: Request, changes: bool, handler: F) -> Response
where
    F: Fn(Arc<Cx>) -> Fut,
    Fut: Future<Output = Answer> + Send + 'static,
{
    let visit = match Visit::read(site.clone(), request).await {
        Ok(visit) => visit,
        Err(why) => return errors::unreadable(why, site.base()),
    };
    let cx = match Cx::enter(visit).await {
        Ok(cx) => Arc::new(cx),
        Err(response) => return response,
    };
    let running = handler(cx.clone());
    let answer = if changes {
        // Whoever hangs up must not leave a transaction cut off in the middle: changes run to their end.
        tokio::spawn(running).await.unwrap_or_else(|error| {
            tracing::error!(panic = error.is_panic(), "a form's handler did not finish");
            Err(Stop::Internal)
        })
    } else {
        running.await
    };
    let response = match answer {
        Ok(response) => response,
        Err(stop) => errors::inside(stop, &cx).await,
    };
    cx.forget_flash(response)
}

/// A page.
pub(crate) fn page<F, Fut>(handler: F) -> MethodRouter<Arc<Site>>
where
    F: Fn(Arc<Cx>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    get(move |State(site): State<Arc<Site>>, request: Request| run(site, request, false, handler.clone()))
}

/// Where somebody comes back to from a page that is not ours: a link, and a change all the same.
pub(crate) fn landing<F, Fut>(handler: F) -> MethodRouter<Arc<Site>>
where
    F: Fn(Arc<Cx>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    get(move |State(site): State<Arc<Site>>, request: Request| run(site, request, true, handler.clone()))
}

/// What a form posts to.
pub(crate) fn form<F, Fut>(handler: F) -> MethodRouter<Arc<Site>>
where
    F: Fn(Arc<Cx>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    axum::routing::post(move |State(site): State<Arc<Site>>, request: Request| {
        run(site, request, true, handler.clone())
    })
}
