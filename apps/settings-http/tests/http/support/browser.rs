//! A browser, as far as signing in needs one: cookies for each origin, redirects, forms.
use reqwest::{Client, header::HeaderMap};
use std::{collections::BTreeMap, sync::Mutex};
use url::Url;

/// Where a browser came to.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    #[track_caller]
    pub(crate) fn has(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.url, self.text);
        self
    }
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
    /// Where a redirect leads.
    #[track_caller]
    pub(crate) fn location(&self) -> Url {
        assert!((300..400).contains(&self.status), "{} answers {}: {}", self.url, self.status, self.text);
        self.url.join(self.header("location")).unwrap()
    }
    /// The cookies that the answer sets, each as its header says.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect()
    }
    /// The address of the first link whose address begins so.
    #[track_caller]
    pub(crate) fn link(&self, start: &str) -> Url {
        let wanted = format!("href=\"{start}");
        let (_, rest) = self.text.split_once(&wanted).unwrap_or_else(|| panic!("no {start} in {}", self.text));
        let (end, _) = rest.split_once('"').unwrap();
        self.url.join(&format!("{start}{end}").replace("&amp;", "&")).unwrap()
    }
}

/// The cookies of an origin by their names.
type Jar = BTreeMap<(String, String), String>;

pub(crate) struct Browser {
    http: Client,
    jar: Mutex<Jar>,
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl Browser {
    pub(crate) fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, jar: Mutex::default() }
    }
    pub(crate) fn cookie(&self, url: &Url, name: &str) -> Option<String> {
        self.jar.lock().unwrap().get(&(origin(url), name.to_owned())).cloned()
    }
    pub(crate) fn set_cookie(&self, url: &Url, name: &str, value: &str) {
        self.jar.lock().unwrap().insert((origin(url), name.to_owned()), value.to_owned());
    }
    /// As if it was never there.
    pub(crate) fn forget(&self, url: &Url) {
        self.jar.lock().unwrap().retain(|(o, _), _| *o != origin(url));
    }

    async fn send(&self, request: reqwest::RequestBuilder, url: &Url) -> Page {
        let cookies: Vec<String> = {
            let jar = self.jar.lock().unwrap();
            jar.iter().filter(|((o, _), _)| *o == origin(url)).map(|((_, n), v)| format!("{n}={v}")).collect()
        };
        let request = request.header("accept", "text/html").header("cookie", cookies.join("; "));
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let page = Page { url: url.clone(), status, headers, text: response.text().await.unwrap() };
        for set in page.cookies() {
            let (name, rest) = set.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let key = (origin(url), name.to_owned());
            let over = value.is_empty() || set.contains("Max-Age=0") || set.contains("01 Jan 1970");
            if over {
                self.jar.lock().unwrap().remove(&key);
            } else {
                self.jar.lock().unwrap().insert(key, value.to_owned());
            }
        }
        page
    }
    /// One page.
    pub(crate) async fn get(&self, url: &Url) -> Page {
        self.send(self.http.get(url.clone()), url).await
    }
    /// Sends a form as a page of the same origin does.
    pub(crate) async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(url.clone()).header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("sec-fetch-site", "same-origin").header("origin", origin(url)).body(body);
        self.send(request, url).await
    }
    /// Follows redirects from a page on, until one is a page or leads to an address for which `stop` holds.
    pub(crate) async fn follow(&self, mut page: Page, stop: impl Fn(&Url) -> bool) -> Page {
        for _ in 0..20 {
            if page.text.contains("document.forms[0].submit()") {
                page = self.submit_by_itself(&page).await;
                continue;
            }
            if !(300..400).contains(&page.status) || stop(&page.location()) {
                return page;
            }
            page = self.get(&page.location()).await;
        }
        panic!("{} leads round and round", page.url);
    }
    /// A page of the provider's whose script sends its form at once.
    async fn submit_by_itself(&self, page: &Page) -> Page {
        let between = |text: &str, from: &str| {
            text.split_once(from).and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value.to_owned())
        };
        let action = page.url.join(&between(&page.text, "action=\"").unwrap()).unwrap();
        let inputs = page.text.split("<input").skip(1);
        let form: Vec<_> =
            inputs.filter_map(|i| Some((between(i, "name=\"")?, between(i, "value=\"").unwrap_or_default()))).collect();
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(&action, &form).await
    }
    /// Fills in the provider's sign-in form, which `page` is, and goes on until `stop` holds.
    pub(crate) async fn sign_in_there(&self, page: Page, email: &str, stop: impl Fn(&Url) -> bool) -> Page {
        assert!(page.text.contains("name=\"login\""), "no sign-in form at {}: {}", page.url, page.text);
        let (_, rest) = page.text.split_once("action=\"").unwrap();
        let action = page.url.join(rest.split_once('"').unwrap().0).unwrap();
        let sent = self.post(&action, &[("prompt", "login"), ("login", email), ("password", "x")]).await;
        self.follow(sent, stop).await
    }
}
