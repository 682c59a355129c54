//! To Slack and back.
use crate::stage::{ORIGIN, Stage, slack_state, value};
use http::StatusCode;
use settings_domain::{connections::ConnectionStatus, policy::Role, ports::slack::SlackError};

const PAGE: &str = "/acme/settings/connections";

#[tokio::test]
async fn slack_is_connected_by_going_there_and_back() {
    let (stage, admin) = Stage::new().await;
    assert!(stage.get(Some(&admin), PAGE).await.text.contains("Connect Slack"));
    let done = stage.connect_slack(&admin).await;
    assert_eq!((done.status, done.location()), (StatusCode::SEE_OTHER, PAGE), "{}", done.text);
    assert_eq!(*stage.slack.exchanged.lock().unwrap(), [format!("{ORIGIN}{PAGE}/slack/callback")]);
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("Acme &lt;Team&gt;") && shown.text.contains("#alerts"));
    assert!(!shown.text.contains("xoxb") && shown.text.contains("Authorize again"));
    assert_eq!(stage.connection(&admin).await.unwrap().status, ConnectionStatus::Active);
}

#[tokio::test]
async fn the_page_that_leads_to_slack_works_with_the_content_policy() {
    let (stage, admin) = Stage::new().await;
    let started = stage.post(&admin, &format!("{PAGE}/slack/start"), &[]).await;
    assert_eq!(started.status, StatusCode::OK, "a redirect of a form to another host would be blocked");
    let refresh = started.headers.get("refresh").unwrap().to_str().unwrap();
    assert!(refresh.starts_with("0; url=https://slack.example/oauth/v2/authorize?"), "{refresh}");
    assert!(started.text.contains("href=\"https://slack.example/oauth/v2/authorize?"));
    assert_eq!(started.headers.get("cache-control").unwrap(), "no-store");
    assert_eq!(stage.events(&admin, "connection.started").await, 1);
}

#[tokio::test]
async fn nobody_ends_what_somebody_else_began() {
    let (stage, admin) = Stage::new().await;
    let other = stage.member(&admin, "second@people.example", Role::Admin).await;
    let editor = stage.member(&admin, "editor@people.example", Role::Editor).await;
    let started = stage.post(&admin, &format!("{PAGE}/slack/start"), &[]).await;
    let back = format!("{PAGE}/slack/callback?code=c&state={}", slack_state(&started));
    let refused = stage.get(Some(&other), &back).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("by somebody else"));
    assert_eq!(stage.get(Some(&editor), &back).await.status, StatusCode::FORBIDDEN);
    assert!(stage.get(None, &back).await.location().starts_with("/sign-in?return_to="));
    assert!(stage.slack.exchanged.lock().unwrap().is_empty() && stage.connection(&admin).await.is_none());
}

#[tokio::test]
async fn what_slack_says_no_to_changes_nothing_and_says_why() {
    let (stage, admin) = Stage::new().await;
    let callback = format!("{PAGE}/slack/callback");
    for (query, said) in [
        ("?error=access_denied&state=x", "It was not allowed on Slack’s page."),
        ("?code=c", "The way back from Slack is not complete."),
        ("?code=c&state=forged", "Start again."),
    ] {
        let shown = stage.get(Some(&admin), &format!("{callback}{query}")).await;
        assert!(shown.status.is_client_error() && shown.text.contains(said), "{query}: {}", shown.text);
    }
    for (error, status) in [
        (SlackError::Unavailable("Slack does not answer"), StatusCode::SERVICE_UNAVAILABLE),
        (SlackError::Configuration, StatusCode::SERVICE_UNAVAILABLE),
        (SlackError::Code("the code is used up"), StatusCode::UNPROCESSABLE_ENTITY),
        (SlackError::Refused("Slack refused it"), StatusCode::CONFLICT),
    ] {
        *stage.slack.fails.lock().unwrap() = Some(error);
        let shown = stage.connect_slack(&admin).await;
        assert_eq!(shown.status, status, "{error}");
        assert!(shown.text.contains("Nothing was changed.") && shown.text.contains("Try again"));
    }
    assert!(stage.connection(&admin).await.is_none());
}

#[tokio::test]
async fn a_connection_gets_another_channel_is_switched_off_and_deleted() {
    let (stage, admin) = Stage::new().await;
    stage.connect_slack(&admin).await;
    let id = stage.connection(&admin).await.unwrap().id;
    let at = |verb: &str| format!("{PAGE}/{id}/{verb}");
    let wrong = stage.post(&admin, &at("channel"), &[("channel", "no spaces please"), ("version", "1")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("id=\"channel-error\"") && value(&wrong.text, "channel") == "no spaces please");
    let form = [("channel", "#ops-alerts"), ("version", "1")];
    assert_eq!(stage.post(&admin, &at("channel"), &form).await.location(), PAGE);
    assert_eq!(stage.connection(&admin).await.unwrap().channel.unwrap().as_str(), "#ops-alerts");
    let stale = stage.post(&admin, &at("disconnect"), &[("version", "1")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(stage.post(&admin, &at("disconnect"), &[("version", "2")]).await.location(), PAGE);
    let shown = stage.get(Some(&admin), PAGE).await;
    assert!(shown.text.contains("Disconnected") && !shown.text.contains("/disconnect\""));
    let refused = stage.post(&admin, &at("channel"), &[("channel", "C2"), ("version", "3")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(stage.post(&admin, &at("delete"), &[("version", "3")]).await.location(), PAGE);
    assert!(stage.connection(&admin).await.is_none());
}
