use super::*;
use uuid::Uuid;

/// A name that tries everything at once.
const HOSTILE: &str = "<!channel> <!here|x> <@U123> <#C1> <!subteam^S1> @here @Everyone <https://evil.example|ok> & *b*\r\n@channel\u{202e}";

fn message(fields: &[(&str, &str)], link: Option<(&str, &str)>) -> SlackMessage {
    SlackMessage {
        text: "A workflow run failed in Acme".to_owned(),
        headline: "A workflow run failed".to_owned(),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        link: link.map(|(label, url)| (label.to_owned(), url.to_owned())),
    }
}

fn rendered(message: &SlackMessage) -> Value {
    render("C1", message, DeliveryId::from_uuid(Uuid::from_u128(7)))
}

/// All strings that Slack shows.
fn shown(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if name == "text" => vec![text.clone()],
                other => shown(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(shown).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_message_is_a_header_fields_and_a_link() {
    let message =
        message(&[("Workflow", "nightly"), ("Error", "")], Some(("See the run", "https://settings.example/r?a=1&b=2")));
    assert_eq!(
        rendered(&message),
        json!({
            "channel": "C1",
            "text": "A workflow run failed in Acme",
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "A workflow run failed", "emoji": false}},
                {"type": "section", "fields": [
                    {"type": "mrkdwn", "text": "*Workflow*\nnightly", "verbatim": true},
                    {"type": "mrkdwn", "text": "*Error*\nnone", "verbatim": true},
                ]},
                {"type": "section", "text": {
                    "type": "mrkdwn", "text": "<https://settings.example/r?a=1&amp;b=2|See the run>", "verbatim": true
                }},
            ],
            "parse": "none",
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": {
                "event_type": "settings_notification",
                "event_payload": {"delivery": "00000000-0000-0000-0000-000000000007"}
            },
        })
    );
}

#[test]
fn no12_no13_strangers_words_mention_and_link_nothing() {
    let hostile = SlackMessage {
        text: HOSTILE.to_owned(),
        headline: HOSTILE.to_owned(),
        fields: vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
        link: Some((HOSTILE.to_owned(), "https://settings.example/a|b<c>".to_owned())),
    };
    let value = rendered(&hostile);
    let all = shown(&value);
    assert_eq!(all.len(), 4, "{all:?}");
    for text in &all {
        let link = text.starts_with("<https://settings.example/a%7Cb%3Cc%3E|");
        assert_eq!(text.matches('<').count(), usize::from(link), "{text}");
        assert_eq!(text.matches('>').count(), usize::from(link), "{text}");
        assert!(text.contains("&lt;!\u{2060}channel&gt;"), "{text}");
        let lower = text.to_lowercase();
        for bad in ["@here", "@everyone", "@channel", "!channel", "!here", "\u{202e}", "\r"] {
            assert!(!lower.contains(bad), "{bad:?} in {text}");
        }
        // One line each; the one line end is ours, between name and value.
        assert!(text.matches('\n').count() <= 1, "{text}");
    }
    assert_eq!(all.iter().filter(|text| text.contains('\n')).count(), 1);
}

#[test]
fn a_name_stays_within_its_bold_type() {
    let value = rendered(&message(&[("a*b*", "c*d*")], None));
    assert!(shown(&value).contains(&"*ab*\nc*d*".to_owned()), "{value}");
}

#[test]
fn only_web_pages_are_linked() {
    for url in [
        "javascript:alert(1)",
        "slack://x",
        "/relative",
        "",
        "mailto:a@b.example",
        &format!("https://a.example/{}", "x".repeat(3000)),
    ] {
        let value = rendered(&message(&[], Some(("x", url))));
        assert_eq!(value["blocks"].as_array().map(Vec::len), Some(1), "{url}");
    }
    let value = rendered(&message(&[], Some(("\u{200b}", "https://a.example/"))));
    assert!(shown(&value).contains(&"<https://a.example/|Open>".to_owned()), "{value}");
}

#[test]
fn every_part_keeps_block_kits_limits_whatever_is_put_in() {
    for piece in ["x", "&", "<", "😀", "é ", "@here ", "\u{202e}"] {
        let long = piece.repeat(50_000);
        let flood = SlackMessage {
            text: long.clone(),
            headline: long.clone(),
            fields: vec![(long.clone(), long.clone()); 100],
            link: Some((long.clone(), "https://settings.example/".to_owned())),
        };
        let value = rendered(&flood);
        let width = |text: &Value| text["text"].as_str().unwrap_or_default().encode_utf16().count();
        let blocks = value["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 4, "{piece}");
        for block in blocks {
            let max = if block["type"] == "header" { MAX_HEADER } else { MAX_SECTION };
            assert!(width(&block["text"]) <= max, "{piece}");
            let fields = block["fields"].as_array().map_or(&[][..], Vec::as_slice);
            assert!(fields.len() <= 10 && fields.iter().all(|f| (1..=MAX_FIELD).contains(&width(f))), "{piece}");
        }
        let total: usize = shown(&value).iter().map(|text| text.encode_utf16().count()).sum();
        assert!(total < 40_000, "{piece}: {total}");
        for text in shown(&value) {
            let rest = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!rest.contains('&'), "an escape was cut in two: {text}");
        }
    }
}

#[test]
fn a_line_that_fits_is_whole_and_a_longer_one_ends_in_an_ellipsis() {
    assert_eq!(escape("abc", 3), "abc");
    assert_eq!(escape("abcd", 3), "ab…");
    assert_eq!(escape("a&b", 7), "a&amp;b");
    assert_eq!(escape("a&b", 6), "a…");
    assert_eq!(escape("😀😀", 4), "😀😀");
    assert_eq!(escape("😀😀", 3), "😀…");
    assert_eq!(line(" a\r\n\tb\u{85}\u{2028}c\u{0} ", 10), "a b c");
}

#[test]
fn a_message_of_nothing_but_text_is_shown_and_one_of_nothing_is_left_for_slack_to_refuse() {
    let mut bare = message(&[], None);
    bare.headline.clear();
    assert_eq!(shown(&rendered(&bare)).len(), 2);
    bare.text.clear();
    assert_eq!(rendered(&bare)["blocks"], json!([]));
    bare.headline = "A workflow run failed".to_owned();
    assert_eq!(rendered(&bare)["text"], "A workflow run failed");
}

#[test]
fn addresses_and_exclamations_are_left_alone() {
    for text in ["ada@example.org", "Done!", "a@home", "5 ! 3"] {
        assert_eq!(line(text, 100), text);
    }
}
