//! Where tenants may send to.
use crate::{
    address::{is_metadata, is_public, reached},
    error::Refused,
    target::{Name, Target},
};
use ipnet::IpNet;
use std::net::IpAddr;
use url::Url;

/// Names that mean something else, or nothing, outside of one network. Names below them are refused as well.
const LOCAL_NAMES: [&str; 7] =
    ["localhost", "localdomain", "local", "internal", "home.arpa", "instance-data", "metadata"];

/// Where tenants may send to: https on port 443 of public hosts, and whatever the operator allows besides.
#[derive(Debug, Clone)]
pub struct Policy {
    allow: Vec<IpNet>,
    denied_hosts: Vec<OwnHost>,
}

/// A host of this service. Without a port, all of its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OwnHost {
    name: Name,
    port: Option<u16>,
}

/// A host of the service's own is not written as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a host of the service's own must be given as a name or an address, with or without a port")]
pub struct OwnHostError;

impl OwnHost {
    fn parse(text: &str) -> Result<Self, OwnHostError> {
        let url = Url::parse(&format!("https://{text}")).map_err(|_| OwnHostError)?;
        let port = url.port();
        let plain =
            url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !text.contains(['/', '@']);
        match url.host().map(|host| Name::new(&host)) {
            Some(Ok(name)) if plain => Ok(Self { name, port }),
            _ => Err(OwnHostError),
        }
    }

    fn is(&self, name: &Name, port: u16) -> bool {
        self.name == *name && self.port.is_none_or(|own| own == port)
    }
}

impl Policy {
    /// Public hosts only.
    #[must_use]
    pub const fn strict() -> Self {
        Self { allow: Vec::new(), denied_hosts: Vec::new() }
    }

    /// Public hosts, and the operator's networks: those in `allow` may be private, and be reached by http and on any
    /// port. Metadata services are never reached, whatever is allowed.
    ///
    /// `own_hosts` are the names and addresses under which the service itself is reached, as `host` or `host:port`. Nobody
    /// may send to these, lest it calls itself.
    pub fn new<H: AsRef<str>>(allow: Vec<IpNet>, own_hosts: impl IntoIterator<Item = H>) -> Result<Self, OwnHostError> {
        let denied_hosts = own_hosts.into_iter().map(|host| OwnHost::parse(host.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { allow, denied_hosts })
    }

    /// Parses what a tenant gave, and refuses what can be refused without looking a name up.
    ///
    /// What a name stands for is another matter, today and at the next attempt:
    /// [`Client::vet`](crate::Client::vet) tells about today, [`Client::send`](crate::Client::send) checks each time.
    pub fn check(&self, text: &str) -> Result<Target, Refused> {
        let target = Target::parse(text)?;
        self.admit_name(&target)?;
        Ok(target)
    }

    /// [`Policy::check`] for a target that another policy may have passed.
    pub(crate) fn admit_name(&self, target: &Target) -> Result<(), Refused> {
        match target.name() {
            Name::Ip(address) => self.admit(target, *address),
            Name::Dns(name) => {
                if LOCAL_NAMES.iter().any(|local| is_at_or_below(name, local)) {
                    return Err(Refused::LocalName);
                }
                if self.is_own(target.name(), target.port()) {
                    return Err(Refused::OwnHost);
                }
                // It may turn out to be a name of an allowed address, if there are any.
                if self.allow.is_empty() { is_ordinary(target) } else { Ok(()) }
            }
        }
    }

    /// Whether an address, given or looked up, may be connected to for the sake of this target.
    pub(crate) fn admit(&self, target: &Target, address: IpAddr) -> Result<(), Refused> {
        if is_metadata(address) {
            return Err(Refused::Address);
        }
        if self.is_own(&Name::Ip(reached(address)), target.port()) {
            return Err(Refused::OwnHost);
        }
        if self.allow.iter().any(|allowed| allowed.contains(&address)) {
            return Ok(());
        }
        if is_public(address) { is_ordinary(target) } else { Err(Refused::Address) }
    }

    fn is_own(&self, name: &Name, port: u16) -> bool {
        self.denied_hosts.iter().any(|own| own.is(name, port))
    }
}

/// What holds for everything that is not in `allow`.
fn is_ordinary(target: &Target) -> Result<(), Refused> {
    if !target.is_https() {
        return Err(Refused::Scheme);
    }
    if target.port() == 443 { Ok(()) } else { Err(Refused::Port) }
}

fn is_at_or_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
