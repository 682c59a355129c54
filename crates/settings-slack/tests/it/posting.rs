//! A notification is posted.
use crate::{REDIRECT, client, delivery, emulator::Emulator, message};
use secrecy::SecretString;
use settings_domain::ports::slack::{SlackApi as _, SlackError, SlackMessage};

async fn connected(slack: &Emulator) -> SecretString {
    let back = slack.allow("s").await;
    let (_, code) = back.query_pairs().find(|(name, _)| name == "code").unwrap();
    client(&slack.url).exchange(&code, REDIRECT).await.unwrap().token
}

#[tokio::test]
async fn a_message_is_in_the_channel_as_it_was_meant() {
    let slack = Emulator::start();
    let (token, channel) = (connected(&slack).await, slack.channel("alerts").await);
    client(&slack.url).post(&token, &channel, &message(), delivery()).await.unwrap();
    let said = slack.read("conversations.history", &[("channel", &channel)]).await;
    let posted = &said["messages"][0];
    assert_eq!(posted["text"], "A workflow run failed in Acme");
    assert_eq!(posted["blocks"][0]["text"]["text"], "A workflow run failed");
    assert_eq!(posted["blocks"][1]["fields"][0]["text"], "*Workflow*\nnightly");
    assert_eq!(posted["blocks"][2]["text"]["text"], "<https://settings.example/runs/7?a=1&amp;b=2|See the run>");
    // By this a reader tells a repeated delivery from a second event.
    assert_eq!(posted["metadata"]["event_payload"]["delivery"], delivery().to_string());
}

#[tokio::test]
async fn no12_no13_a_hostile_name_is_in_the_channel_as_text() {
    let slack = Emulator::start();
    let (token, channel) = (connected(&slack).await, slack.channel("alerts").await);
    let name = "<!channel> @here <@U123> <https://evil.example|Acme>";
    let hostile = SlackMessage {
        text: name.to_owned(),
        headline: name.to_owned(),
        fields: vec![(name.to_owned(), name.to_owned())],
        link: Some((name.to_owned(), "https://settings.example/".to_owned())),
    };
    client(&slack.url).post(&token, &channel, &hostile, delivery()).await.unwrap();
    let said = slack.read("conversations.history", &[("channel", &channel)]).await;
    let posted = said["messages"][0].to_string();
    for bad in ["<!", "<@", "<https://evil", "@here", "!channel"] {
        assert!(!posted.contains(bad), "{bad} in {posted}");
    }
    assert!(posted.contains("&lt;@U123&gt;") && posted.contains("<https://settings.example/|"), "{posted}");
}

#[tokio::test]
async fn a_channel_that_is_gone_archived_or_closed_is_the_channels_fault() {
    let slack = Emulator::start();
    let (token, old) = (connected(&slack).await, slack.channel("old").await);
    slack.read("conversations.archive", &[("channel", &old)]).await;
    let board = slack.channel("board").await;
    for (channel, cause) in [
        ("C0MISSING", "Slack does not find the channel: it was deleted, or it is private"),
        ("", "Slack does not find the channel: it was deleted, or it is private"),
        (&old, "Slack says that the channel is archived"),
        (&board, "Slack says that the app is not in the channel"),
    ] {
        let error = client(&slack.url).post(&token, channel, &message(), delivery()).await.unwrap_err();
        assert_eq!(error, SlackError::Channel(cause), "{channel}");
    }
}

#[tokio::test]
async fn a_token_that_may_not_post_or_is_none_ends_the_connection() {
    let slack = Emulator::start();
    let channel = slack.channel("alerts").await;
    for token in ["xoxb-mute", "xoxb-unknown", "", "line\nend"] {
        let token = SecretString::from(token);
        let error = client(&slack.url).post(&token, &channel, &message(), delivery()).await.unwrap_err();
        assert!(matches!(error, SlackError::Auth(_)), "{error:?}");
    }
    let said = slack.read("conversations.history", &[("channel", &channel)]).await;
    assert_eq!(said["messages"].as_array().map(Vec::len), Some(0), "{said}");
}
