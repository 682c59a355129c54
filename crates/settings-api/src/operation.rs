//! The operation table: method, path, permission, body, answers and handler of each operation, once. Router, OpenAPI
//! document and golden tables are made from it; an operation without a permission or a stated reason can't be written.
use crate::{
    Api,
    answer::Answer,
    input::{Input, Tenant},
    problem::Problem,
};
use http::Method;
use settings_app::authenticate::Authenticated;
use settings_domain::{
    policy::{Action, Mutation, Permit, Requirement},
    ports::store::Selector,
    transaction::{Call, Snapshot},
};
use std::{future::Future, pin::Pin, sync::Arc};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Who meets the action's requirement in the call's workspace.
    Action(&'static str, Requirement),
    /// Any authenticated caller; the reason says why no permission is asked.
    Authenticated(&'static str),
    /// Any valid API key.
    AnyKey,
}

/// A schema and those it refers to.
#[derive(Clone)]
pub(crate) struct SchemaOf {
    pub(crate) name: String,
    pub(crate) schema: RefOr<Schema>,
    pub(crate) others: Vec<(String, RefOr<Schema>)>,
}

impl SchemaOf {
    fn new<T: ToSchema>() -> Self {
        let mut others = Vec::new();
        T::schemas(&mut others);
        Self { name: T::name().into_owned(), schema: <T as PartialSchema>::schema(), others }
    }
}

/// What a success looks like.
#[derive(Clone)]
pub(crate) struct Success {
    pub(crate) status: u16,
    pub(crate) schema: Option<SchemaOf>,
    pub(crate) list: bool,
    /// The media types of a file that is streamed.
    pub(crate) files: &'static [&'static str],
    /// Another status for the same body.
    pub(crate) or: Option<u16>,
}

type Answered = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;
type Run = Arc<dyn Fn(Arc<Api>, Authenticated, Arc<Input>) -> Answered + Send + Sync>;

/// One operation.
#[derive(Clone)]
pub struct Operation {
    /// Unique name, camel case.
    pub id: &'static str,
    /// Method.
    pub method: Method,
    /// Path template; seed A's are served below `/w/{slug}` too.
    pub path: &'static str,
    /// Feature.
    pub tag: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Who may call.
    pub access: Access,
    /// Where the workspace comes from.
    pub tenant: Tenant,
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) request: Option<SchemaOf>,
    /// The media types that the body may have.
    pub(crate) media_types: &'static [&'static str],
    pub(crate) success: Success,
    pub(crate) problems: &'static [&'static str],
    /// Whether it changes something, whatever its method is: the way back from Slack is a GET.
    pub(crate) changes: bool,
    /// Why it is no tool of the Model Context Protocol face, where it is none.
    pub(crate) no_tool: Option<&'static str>,
    pub(crate) run: Run,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.id)
    }
}

/// An operation being described; it becomes one by getting a handler.
#[derive(Clone)]
pub(crate) struct Described {
    id: &'static str,
    method: Method,
    path: &'static str,
    tag: &'static str,
    summary: &'static str,
    tenant: Tenant,
    query: &'static [(&'static str, &'static str)],
    request: Option<SchemaOf>,
    media_types: &'static [&'static str],
    success: Success,
    problems: &'static [&'static str],
    no_tool: Option<&'static str>,
}

/// Starts the description of an operation.
pub(crate) fn op(
    method: Method,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> Described {
    let tenant = if path.contains("{organizationId}") { Tenant::Organization } else { Tenant::Path };
    let success = Success { status: 204, schema: None, list: false, files: &[], or: None };
    let media_types = &["application/json"];
    let (query, problems, no_tool): (&[_], &[_], _) = (&[], &[], None);
    Described { id, method, path, tag, summary, tenant, query, request: None, media_types, success, problems, no_tool }
}

impl Described {
    /// The workspace comes from elsewhere than the path.
    pub(crate) const fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = tenant;
        self
    }
    /// Query parameters with their meaning.
    pub(crate) const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }
    /// The body.
    pub(crate) fn takes<T: ToSchema>(mut self) -> Self {
        self.request = Some(SchemaOf::new::<T>());
        self
    }
    /// A success.
    pub(crate) fn gives<T: ToSchema>(mut self, status: u16) -> Self {
        self.success = Success { status, schema: Some(SchemaOf::new::<T>()), list: false, files: &[], or: None };
        self
    }
    /// The media types of the body, where it is not the usual one alone.
    pub(crate) const fn media_types(mut self, media_types: &'static [&'static str]) -> Self {
        self.media_types = media_types;
        self
    }
    /// The same success under another status.
    pub(crate) const fn or(mut self, status: u16) -> Self {
        self.success.or = Some(status);
        self
    }
    /// A success with a page of a list.
    pub(crate) fn gives_list<T: ToSchema>(mut self) -> Self {
        self.success = Success { status: 200, schema: Some(SchemaOf::new::<T>()), list: true, files: &[], or: None };
        self
    }
    /// A success with a file of one of these media types.
    pub(crate) fn gives_file(mut self, files: &'static [&'static str]) -> Self {
        self.success = Success { status: 200, schema: None, list: false, files, or: None };
        self
    }
    /// Problems beyond those that every operation can have.
    pub(crate) const fn problems(mut self, slugs: &'static [&'static str]) -> Self {
        self.problems = slugs;
        self
    }
    /// It is no tool, for this reason: what tools say and are told goes through a language model.
    pub(crate) const fn no_tool(mut self, reason: &'static str) -> Self {
        self.no_tool = Some(reason);
        self
    }

    fn build(self, access: Access, run: Run) -> Operation {
        let Self { id, method, path, tag, summary, tenant, query, request, media_types, success, problems, no_tool } =
            self;
        let changes = method != Method::GET;
        Operation {
            id,
            method,
            path,
            tag,
            summary,
            access,
            tenant,
            query,
            request,
            media_types,
            success,
            problems,
            changes,
            no_tool,
            run,
        }
    }

    /// Reads for who may do `A`: the right and the data come from one snapshot.
    pub(crate) fn read<A, F, Fut>(self, handler: F) -> Operation
    where
        A: Action,
        F: Fn(Arc<Api>, Snapshot<A>, Arc<Input>) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let tenant = self.tenant;
        let run: Run = Arc::new(move |api, auth, input| {
            Box::pin(async move {
                let selector = input.selector(tenant)?;
                let snapshot = api.enter::<A>(&auth, &selector).await?;
                handler(api, snapshot, input).await
            })
        });
        self.build(Access::Action(A::NAME, A::REQUIRES), run)
    }

    /// Changes for who may do `A`. The permit opens the door; the transaction decides again under the tenant's lock.
    pub(crate) fn write<A, F, Fut>(self, handler: F) -> Operation
    where
        A: Mutation,
        F: Fn(Arc<Api>, Permit<A>, Call, Arc<Input>) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let (tenant, id) = (self.tenant, self.id);
        let run: Run = Arc::new(move |api, auth, input| {
            Box::pin(async move {
                let selector = input.selector(tenant)?;
                let permit = api.enter::<A>(&auth, &selector).await?.permit().clone();
                let call = input.call(&api, &auth.caller, id)?;
                handler(api, permit, call, input).await
            })
        });
        Operation { changes: true, ..self.build(Access::Action(A::NAME, A::REQUIRES), run) }
    }

    /// Changes something of the platform itself, for its owners. Everybody else is refused in the policy's words: there is
    /// no workspace to be a member of.
    pub(crate) fn platform<A, F, Fut>(self, handler: F) -> Operation
    where
        A: Mutation,
        F: Fn(Arc<Api>, Permit<A>, Call, Arc<Input>) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        let id = self.id;
        let run: Run = Arc::new(move |api, auth, input| {
            Box::pin(async move {
                if let (Requirement::Permission(p), false) = (A::REQUIRES, auth.caller.is_platform()) {
                    return Err(Problem::lacking(p, &auth.caller));
                }
                let permit = api.enter::<A>(&auth, &Selector::Platform).await?.permit().clone();
                let call = input.call(&api, &auth.caller, id)?;
                handler(api, permit, call, input).await
            })
        });
        self.build(Access::Action(A::NAME, A::REQUIRES), run)
    }

    /// Serves a caller whose right the handler proves itself, for `A`: where the right is not asked in one workspace.
    pub(crate) fn own<A, F, Fut>(self, handler: F) -> Operation
    where
        A: Action,
        F: Fn(Arc<Api>, Authenticated, Arc<Input>) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        self.build(
            Access::Action(A::NAME, A::REQUIRES),
            Arc::new(move |api, auth, input| Box::pin(handler(api, auth, input))),
        )
    }

    /// Serves every authenticated caller, for a stated reason.
    pub(crate) fn anyone<F, Fut>(self, reason: &'static str, handler: F) -> Operation
    where
        F: Fn(Arc<Api>, Authenticated, Arc<Input>) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        self.build(Access::Authenticated(reason), Arc::new(move |api, auth, input| Box::pin(handler(api, auth, input))))
    }

    /// Serves every valid API key.
    pub(crate) fn any_key<F, Fut>(self, handler: F) -> Operation
    where
        F: Fn(Arc<Api>, Authenticated, Arc<Input>) -> Fut + Send + Sync + Copy + 'static,
        Fut: Future<Output = Result<Answer, Problem>> + Send + 'static,
    {
        self.build(Access::AnyKey, Arc::new(move |api, auth, input| Box::pin(handler(api, auth, input))))
    }
}
