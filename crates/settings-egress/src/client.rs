//! Sends to targets, and to nothing else.
use crate::{
    bulkhead::{Bulkhead, Slot},
    classify::classify,
    error::{Refused, SendError},
    exchange::{MAX_ANSWER, Request, Response},
    pinned::{Pinned, Vetted},
    policy::Policy,
    resolver::Resolver,
    resting::Resting,
    target::{Name, Target},
};
use bytes::BytesMut;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// How much time and company an attempt may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the lookup, and once more for the connection with its TLS.
    pub connect: Duration,
    /// For everything, from the lookup to the last byte of the answer.
    pub total: Duration,
    /// How many attempts of one tenant may be under way.
    pub per_tenant: usize,
    /// How long a further one waits for a place.
    pub wait: Duration,
}

impl Default for Limits {
    /// 3 s to connect, 15 s in all, 8 attempts per tenant, and a second's wait for a place.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            total: Duration::from_secs(15),
            per_tenant: 8,
            wait: Duration::from_secs(1),
        }
    }
}

/// TLS cannot be set up, such as for want of root certificates.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for outbound requests could not be set up")]
pub struct SetupError(#[source] reqwest::Error);

/// Sends requests to places that tenants have chosen.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    policy: Policy,
    resolver: Arc<dyn Resolver>,
    limits: Limits,
    bulkhead: Arc<Bulkhead>,
    resting: Resting,
}

impl Client {
    /// A client with the usual [`Limits`].
    pub fn new(policy: Policy, resolver: Arc<dyn Resolver>) -> Result<Self, SetupError> {
        Self::with_limits(policy, resolver, Limits::default())
    }

    /// A client with other limits.
    ///
    /// Certificates are checked against the system's roots, or those in `SSL_CERT_FILE`. Installs ring as rustls'
    /// process-wide crypto where none is installed yet.
    pub fn with_limits(policy: Policy, resolver: Arc<dyn Resolver>, limits: Limits) -> Result<Self, SetupError> {
        // An error says that one is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .dns_resolver(Pinned)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // A connection is never used twice: the next attempt has to be vetted on its own.
            .pool_max_idle_per_host(0)
            .connect_timeout(limits.connect)
            .tls_backend_rustls()
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .http1_only()
            // Whatever other crates switch on in reqwest: 64 KiB are 64 KiB on the wire.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .user_agent(concat!("settings/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(SetupError)?;
        Ok(Self { http, policy, resolver, limits, bulkhead: Arc::default(), resting: Resting::default() })
    }

    /// What [`Client::send`] goes by: check texts with this one.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Looks the target up and says whether it could be sent to now. Connects to nothing.
    ///
    /// Meant for when a tenant configures a target, so that a mistake is told at once. It promises nothing about later.
    pub async fn vet(&self, target: &Target, tenant_key: &str) -> Result<(), SendError> {
        let slot = self.enter(tenant_key).await?;
        self.vetted(target, &slot, Instant::now() + self.limits.total).await.map(drop)
    }

    /// Makes one attempt.
    ///
    /// `tenant_key` is whatever tells tenants apart. A tenant with [`Limits::per_tenant`] attempts under way of which none
    /// ends within [`Limits::wait`] gets [`SendError::Busy`], so that its dead receivers hold no worker that others wait for. After
    /// five attempts in a row that failed for want of an answer, the tenant's next ones to that origin get [`SendError::Resting`]
    /// for [`REST`](crate::REST); then one tries it. Dropping the future ends the attempt.
    pub async fn send(&self, request: Request, tenant_key: &str) -> Result<Response, SendError> {
        request.check_headers()?;
        let slot = self.enter(tenant_key).await?;
        let watch = self.resting.watch(tenant_key, request.target.origin());
        let pass = watch.enter()?;
        let outcome = self.attempt(request, &slot).await;
        watch.note(pass, &outcome);
        outcome
    }

    async fn attempt(&self, request: Request, slot: &Arc<Slot>) -> Result<Response, SendError> {
        let started = Instant::now();
        let deadline = started + self.limits.total;
        let vetted = self.vetted(&request.target, slot, deadline).await?;

        let mut outgoing = reqwest::Request::new(request.method.as_http(), request.target.url().clone());
        *outgoing.headers_mut() = request.headers;
        *outgoing.body_mut() = Some(request.body.into());
        let answer = timeout_at(deadline, vetted.scope(self.http.execute(outgoing))).await;
        let answer = answer.map_err(|_| SendError::Timeout)?.map_err(|error| classify(&error))?;

        let mut response = Response::new(answer.status(), answer.headers());
        timeout_at(deadline, read(answer, &mut response)).await.map_err(|_| SendError::TooSlow)?;
        response.took = started.elapsed();
        Ok(response)
    }

    async fn enter(&self, tenant_key: &str) -> Result<Arc<Slot>, SendError> {
        let slot = self.bulkhead.enter(tenant_key, self.limits.per_tenant, self.limits.wait).await;
        slot.map(Arc::new).ok_or(SendError::Busy)
    }

    /// The only way to something that can be connected to: one lookup, and every answer allowed.
    async fn vetted(&self, target: &Target, slot: &Arc<Slot>, deadline: Instant) -> Result<Vetted, SendError> {
        // The target may be the work of another policy.
        self.policy.admit_name(target)?;
        let addresses = match target.name() {
            // Judged just now.
            Name::Ip(address) => vec![*address],
            Name::Dns(name) => {
                let addresses = self.look_up(name.clone(), slot, deadline).await?;
                for address in &addresses {
                    self.policy.admit(target, *address).map_err(of_an_answer)?;
                }
                addresses
            }
        };
        if addresses.is_empty() {
            return Err(SendError::Resolve);
        }
        let with_port = |address| SocketAddr::new(address, target.port());
        Ok(Vetted { host: target.host().to_owned(), addresses: addresses.into_iter().map(with_port).collect() })
    }

    /// In a task of its own that holds the slot: a lookup cannot be broken off, and a tenant whose name servers are dead
    /// must not heap up more and more of them.
    async fn look_up(&self, name: String, slot: &Arc<Slot>, deadline: Instant) -> Result<Vec<IpAddr>, SendError> {
        let (resolver, slot) = (Arc::clone(&self.resolver), Arc::clone(slot));
        let lookup = tokio::spawn(async move {
            let found = resolver.lookup(&name).await;
            drop(slot);
            found
        });
        let until = deadline.min(Instant::now() + self.limits.connect);
        match timeout_at(until, lookup).await {
            Ok(Ok(Ok(addresses))) => Ok(addresses),
            _ => Err(SendError::Resolve),
        }
    }
}

/// A name is not refused in the words for an address: nobody has typed one.
const fn of_an_answer(refused: Refused) -> Refused {
    match refused {
        Refused::Address => Refused::Answer,
        other => other,
    }
}

/// Reads as much of the body as is kept. Where it breaks off, what the head says still stands.
async fn read(mut answer: reqwest::Response, into: &mut Response) {
    let mut body = BytesMut::new();
    while body.len() < MAX_ANSWER {
        match answer.chunk().await {
            Ok(Some(mut chunk)) => {
                chunk.truncate(MAX_ANSWER - body.len());
                body.extend_from_slice(&chunk);
            }
            end => {
                into.complete = matches!(end, Ok(None));
                break;
            }
        }
    }
    into.body = body.freeze();
}
