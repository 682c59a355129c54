//! A person connects a workspace.
use crate::{CLIENT_ID, CLIENT_SECRET, REDIRECT, client, emulator::Emulator, responder::Responder};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::ports::slack::{SlackApi as _, SlackError};
use settings_slack::{SLACK, SlackClient};
use std::collections::HashMap;
use url::Url;

fn code(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

#[test]
fn the_page_to_allow_it_on_is_slacks_and_names_what_we_want_and_where_to_come_back() {
    let url: Url = client(SLACK).authorize_url("st&te=1 ", REDIRECT).parse().unwrap();
    assert_eq!((url.host_str(), url.path()), (Some("slack.com"), "/oauth/v2/authorize"));
    let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(asked["client_id"], CLIENT_ID);
    assert_eq!(asked["redirect_uri"], REDIRECT);
    assert_eq!(asked["state"], "st&te=1 ");
    assert_eq!(asked["scope"], "chat:write,chat:write.public,incoming-webhook");
    assert!(!url.as_str().contains(CLIENT_SECRET));
}

#[tokio::test]
async fn a_code_becomes_a_token_once() {
    let slack = Emulator::start();
    let back = slack.allow("st&te=1").await;
    assert!(back.as_str().starts_with(REDIRECT), "{back}");
    assert!(back.query_pairs().any(|(name, value)| name == "state" && value == "st&te=1"), "{back}");
    let client = client(&slack.url);
    let grant = client.exchange(&code(&back), REDIRECT).await.unwrap();
    assert!(grant.token.expose_secret().starts_with("xoxb-"));
    assert_eq!(grant.team_name, "Acme HQ");
    assert!(grant.team_id.starts_with('T'), "{grant:?}");
    assert_eq!(grant.scopes, ["chat:write", "chat:write.public", "incoming-webhook"]);
    // The emulator lets nobody pick a channel.
    assert_eq!((grant.channel.as_deref(), grant.channel_name.as_deref()), (None, None));
    assert!(!format!("{grant:?}").contains("xoxb"), "{grant:?}");
    let again = client.exchange(&code(&back), REDIRECT).await.unwrap_err();
    assert!(matches!(again, SlackError::Code(_)), "{again:?}");
}

#[tokio::test]
async fn a_code_for_another_address_or_of_nobody_is_no_use() {
    let slack = Emulator::start();
    let client = client(&slack.url);
    let back = slack.allow("s").await;
    let elsewhere = client.exchange(&code(&back), "http://localhost:8080/elsewhere").await.unwrap_err();
    assert_eq!(elsewhere, SlackError::Code("the authorization was made for another address of this service"));
    for made_up in ["", "0123456789", "a&b=c"] {
        let error = client.exchange(made_up, REDIRECT).await.unwrap_err();
        assert!(matches!(error, SlackError::Code(_)), "{made_up}: {error:?}");
    }
}

#[tokio::test]
async fn a_wrong_secret_or_id_is_the_operators_to_put_right() {
    let slack = Emulator::start();
    let back = slack.allow("s").await;
    for (id, secret) in [(CLIENT_ID, "another"), ("99999.99999", CLIENT_SECRET)] {
        let client = SlackClient::new(id, SecretString::from(secret), &slack.url).unwrap();
        assert_eq!(client.exchange(&code(&back), REDIRECT).await.unwrap_err(), SlackError::Configuration, "{id}");
    }
}

const GRANTED: &str = r##"{"ok":true,"access_token":"xoxb-\u0031","token_type":"bot","scope":"chat:write,incoming-webhook",
    "team":{"id":"T1","name":"Acme"},"enterprise":null,
    "incoming_webhook":{"channel":"#alerts","channel_id":"C1","url":"https://hooks.slack.com/services/T1/B1/x"}}"##;

#[tokio::test]
async fn the_channel_that_the_person_picked_is_kept_and_the_webhooks_url_is_not() {
    let slack = Responder::json(GRANTED);
    let grant = client(&slack.url).exchange("c&d", REDIRECT).await.unwrap();
    assert_eq!(grant.token.expose_secret(), "xoxb-1");
    assert_eq!((grant.team_id.as_str(), grant.team_name.as_str()), ("T1", "Acme"));
    assert_eq!((grant.channel.as_deref(), grant.channel_name.as_deref()), (Some("C1"), Some("#alerts")));
    assert!(!format!("{grant:?}").contains("hooks.slack.com"), "{grant:?}");
    // The secret goes where no log of URLs or bodies sees it.
    let request = slack.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /api/oauth.v2.access HTTP/1.1\r\n"), "{head}");
    // Base64 of `12345.67890:hunter2hunter2`.
    assert!(head.contains("authorization: Basic MTIzNDUuNjc4OTA6aHVudGVyMmh1bnRlcjI="), "{head}");
    assert_eq!(body, "code=c%26d&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fconnections%2Fslack%2Fcallback");
}

#[tokio::test]
async fn a_grant_without_a_team_or_a_token_is_none() {
    for (answer, expected) in [
        (GRANTED.replace(r#""team":{"id":"T1","name":"Acme"}"#, r#""team":null"#), "an organization instead of a team"),
        (GRANTED.replace("xoxb-\\u0031", ""), "not Slack"),
        (GRANTED.replace("access_token", "token"), "not Slack"),
        (r#"{"ok":true}"#.to_owned(), "not Slack"),
    ] {
        let slack = Responder::json(&answer);
        let error = client(&slack.url).exchange("c", REDIRECT).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error:?}");
    }
    // Slack leaves out what there is none of.
    let bare = r#"{"ok":true,"access_token":"xoxb-1","team":{"id":"T1"}}"#;
    let grant = client(&Responder::json(bare).url).exchange("c", REDIRECT).await.unwrap();
    assert_eq!((grant.team_name.as_str(), grant.scopes.len(), grant.channel), ("T1", 0, None));
}
