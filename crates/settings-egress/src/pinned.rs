//! What the HTTP client has for a resolver.
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    future::{Future, ready},
    net::SocketAddr,
};

tokio::task_local! {
    /// What the attempt under way in this task may connect to.
    static VETTED: Vetted;
}

/// Addresses of a host, all of which the policy allows.
#[derive(Debug, Clone)]
pub(crate) struct Vetted {
    pub(crate) host: String,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Vetted {
    /// Runs an attempt that may connect to these.
    pub(crate) fn scope<F: Future>(self, attempt: F) -> impl Future<Output = F::Output> {
        VETTED.scope(self, attempt)
    }
}

/// Cannot look anything up. It knows what was vetted for the very attempt that asks; without that there is no
/// connection.
///
/// An address in the URL never gets here: hyper connects to it at once. It was judged by then.
#[derive(Debug)]
pub(crate) struct Pinned;

impl Resolve for Pinned {
    fn resolve(&self, name: Name) -> Resolving {
        let of_this_host = |vetted: &Vetted| (vetted.host == name.as_str()).then(|| vetted.addresses.clone());
        let found = VETTED.try_with(of_this_host).ok().flatten();
        let answer = found.map(|addresses| -> Addrs { Box::new(addresses.into_iter()) });
        Box::pin(ready(answer.ok_or_else(|| "nothing was vetted for this connection".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(host: &str) -> Option<Vec<SocketAddr>> {
        Pinned.resolve(host.parse().unwrap()).await.ok().map(Iterator::collect)
    }

    #[tokio::test]
    async fn only_what_was_vetted_for_the_attempt_is_answered() {
        let addresses = vec!["192.0.2.1:443".parse().unwrap(), "[2001:db8::1]:443".parse().unwrap()];
        let vetted = Vetted { host: "a.test".to_owned(), addresses: addresses.clone() };
        assert_eq!(vetted.clone().scope(answer("a.test")).await, Some(addresses));
        assert_eq!(vetted.clone().scope(answer("b.test")).await, None);
        // `localhost` would be found by anything that can look names up.
        assert_eq!(vetted.clone().scope(answer("localhost")).await, None);
        assert_eq!(answer("a.test").await, None);
        let elsewhere = vetted.scope(async { tokio::spawn(answer("a.test")).await.unwrap() }).await;
        assert_eq!(elsewhere, None);
    }
}
