//! What an event says: kept as it was given, and harmless where a part of it is shown.
use crate::support::start;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};
use settings_domain::{
    events::{Content, EventData, EventText, Extensions},
    policy::EventType,
    sealed::MAX_VALUE,
};
use time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

const BASE: &str = "https://settings.example.com";

/// Any text, with everything in it that is easily lost or does harm.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[\\x00-\\x1f\\x7f\"\\\\/a]{0,8}",
        "[a-z_.A-Z-]{0,12}",
        Just("\u{2028}\u{feff}é\u{1f980}".to_owned())
    ]
}
/// Any JSON, a few levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Fractions that are read back exactly; of others the last digit may differ.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((text(), inner), 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}
fn members() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![3 => text(), 1 => select(vec!["url", "link", "workflowName"]).prop_map(str::to_owned)];
    vec((name, any_json()), 0..20).prop_map(|m| m.into_iter().collect())
}
fn event_text() -> impl Strategy<Value = EventText> {
    "[!-~é🦀]{1,40}".prop_map(|s| s.parse().unwrap())
}
prop_compose! {
    fn instant()(micros in -62_000_000_000_000_000_i64..250_000_000_000_000_000, minutes in -1_439_i32..1_440) -> OffsetDateTime {
        let offset = UtcOffset::from_whole_seconds(minutes * 60).unwrap();
        (OffsetDateTime::UNIX_EPOCH + Duration::microseconds(micros)).to_offset(offset)
    }
}
prop_compose! {
    fn content()(
        source in event_text(), id in event_text(), kind in select(EventType::ALL.to_vec()),
        subject in option::of(event_text()), time in option::of(instant()), data in members(),
    ) -> (Content, Map<String, Value>) {
        (Content { source, id, kind, subject, time, extensions: Extensions::default(), data: EventData::new(data.clone()) }, data)
    }
}
fn with_data(data: Value) -> Content {
    let Value::Object(members) = data else { panic!("an object") };
    Content {
        source: "urn:runner".parse().unwrap(),
        id: "1".parse().unwrap(),
        kind: EventType::RunFailed,
        subject: None,
        time: None,
        extensions: Extensions::default(),
        data: EventData::new(members),
    }
}
fn text_of(content: &Content) -> String {
    content.to_text(start()).unwrap().expose().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn every_event_comes_back_as_it_was_given((content, data) in content()) {
        let value: Value = serde_json::from_str(&text_of(&content)).unwrap();
        let event = value.as_object().unwrap();
        let said = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        prop_assert_eq!(event.get("data"), Some(&Value::Object(data)));
        prop_assert_eq!(said("specversion").unwrap(), "1.0");
        prop_assert_eq!(said("source").unwrap(), content.source.as_str());
        prop_assert_eq!(said("id").unwrap(), content.id.as_str());
        prop_assert_eq!(said("type").unwrap(), content.kind.name());
        prop_assert_eq!(said("datacontenttype").unwrap(), "application/json");
        prop_assert_eq!(said("subject"), content.subject.as_ref().map(|s| s.as_str().to_owned()));
        let time = OffsetDateTime::parse(&said("time").unwrap(), &Rfc3339).unwrap();
        prop_assert_eq!(time, content.time.unwrap_or_else(start));
        prop_assert_eq!(event.len(), if content.subject.is_some() { 8 } else { 7 }, "and nothing else");
    }

    #[test]
    fn what_is_shown_is_short_and_its_names_stay_in_their_line((content, _) in content()) {
        let facts = Content::facts(&text_of(&content));
        prop_assert!(facts.len() <= 12);
        for fact in &facts {
            prop_assert!(!fact.name.chars().any(char::is_control), "{:?}", fact.name);
            // Upper case may take more characters than lower case: `ß` is `SS`.
            prop_assert!(!fact.name.is_empty() && fact.name.chars().count() <= 180, "{:?}", fact.name);
            prop_assert!(!fact.value.is_empty() && fact.value.chars().count() <= 501);
        }
    }

    #[test]
    fn only_plain_members_are_shown_and_each_at_most_once((content, data) in content()) {
        let plain = |v: &&Value| matches!(v, Value::Bool(_) | Value::Number(_)) || v.as_str().is_some_and(|s| !s.trim().is_empty());
        let most = data.values().filter(plain).count() + usize::from(content.subject.is_some());
        prop_assert!(Content::facts(&text_of(&content)).len() <= most);
    }

    /// Whatever stands behind the base, and whatever stands for it.
    #[test]
    fn a_link_leads_nowhere_but_under_the_base(base in select(vec![BASE, "http://127.0.0.1:8080"]), rest in text(), other in text()) {
        for url in [format!("{base}{rest}"), format!("{other}{base}"), other.clone(), format!("{base}/{rest}")] {
            let text = text_of(&with_data(json!({ "url": url })));
            if let Some(link) = Content::link(&text, base) {
                prop_assert_eq!(&link, &url);
                let behind = link.strip_prefix(base).unwrap();
                prop_assert!(behind.is_empty() || behind.starts_with(['/', '?', '#']));
                prop_assert!(!link.contains(['\\', ' ', '\n', '\0']));
            }
        }
    }

    #[test]
    fn no_text_at_all_breaks_what_reads_it(text in ".{0,200}") {
        let _ = (Content::facts(&text), Content::link(&text, BASE));
    }
}

#[test]
fn an_event_has_at_most_65536_bytes_with_everything_in_it() {
    let long = |n: usize| with_data(json!({ "x": "y".repeat(n) }));
    let around = text_of(&long(0)).len();
    assert_eq!(MAX_VALUE, 65_536);
    assert_eq!(text_of(&long(MAX_VALUE - around)).len(), MAX_VALUE);
    assert!(long(MAX_VALUE - around + 1).to_text(start()).is_err());
    // Bytes as they are written: a control character takes six of them.
    assert!(with_data(json!({ "x": "\u{1}".repeat(MAX_VALUE / 6) })).to_text(start()).is_err());
}

#[test]
fn texts_of_an_event_have_1_to_512_characters_and_no_control_character() {
    for good in ["x", " x ", "https://runner.example.com/é", &"🦀".repeat(512)] {
        assert_eq!(good.parse::<EventText>().unwrap().as_str(), good);
    }
    for bad in ["", " ", "a\nb", "a\0b", "\u{7f}", &"x".repeat(513)] {
        assert!(bad.parse::<EventText>().is_err(), "{bad:?}");
    }
}

#[test]
fn names_of_members_are_shown_as_words_without_what_would_break_their_line() {
    let facts = Content::facts(&text_of(&with_data(json!({"run\r\nBcc: x": 1, "": 2, "_": 3, "errorCode": 4}))));
    let shown: Vec<_> = facts.iter().map(|f| (f.name.as_str(), f.value.as_str())).collect();
    assert_eq!(shown, [("Error code", "4"), ("Run  Bcc: x", "1")]);
}

#[test]
fn at_most_twelve_facts_are_shown_and_the_subject_is_the_first() {
    let many: Map<_, _> = (10..40).map(|n| (format!("a{n}"), Value::from(n))).collect();
    let content = Content { subject: Some("nightly".parse().unwrap()), ..with_data(Value::Object(many)) };
    let facts = Content::facts(&text_of(&content));
    assert_eq!(facts.len(), 12);
    assert_eq!(facts.first().map(|f| (f.name.as_str(), f.value.as_str())), Some(("Subject", "nightly")));
}

#[test]
fn extensions_go_along_unread_and_never_take_the_place_of_an_attribute() {
    let mut content = with_data(json!({}));
    let values =
        [("traceparent", json!("00-7")), ("sampled", json!(true)), ("n0", json!(-7)), (&*"x".repeat(20), json!(""))];
    for (name, value) in values.clone() {
        content.extensions.insert(name.to_owned(), value).unwrap();
    }
    let taken = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "data",
        "data_base64",
    ];
    let long = "x".repeat(21);
    for name in taken.into_iter().chain(["", "Trace", "a-b", "a b", "é", &long]) {
        assert!(!Extensions::is_name(name), "{name}");
        assert!(content.extensions.insert(name.to_owned(), json!("x")).is_err(), "{name}");
    }
    for value in [json!(null), json!([]), json!({}), json!(1.5), json!(u64::MAX), json!("a\nb"), json!("x".repeat(513))]
    {
        assert!(content.extensions.insert("good".to_owned(), value.clone()).is_err(), "{value}");
    }
    let text = text_of(&content);
    let event: Map<String, Value> = serde_json::from_str(&text).unwrap();
    for (name, value) in values {
        assert_eq!(event.get(name), Some(&value));
    }
    assert_eq!((event.len(), event.get("id")), (7 + 4, Some(&json!("1"))));
    assert!(Content::facts(&text).is_empty(), "a message shows none of them");
    assert!(!format!("{:?}", content.extensions).contains("00-7"));
}

#[test]
fn a_page_of_ours_is_found_beside_a_strangers_link() {
    let page = "https://settings.example.com/acme/runs/7";
    for data in
        [json!({"link": "https://evil.example", "url": page}), json!({"link": page, "url": "https://evil.example"})]
    {
        let text = text_of(&with_data(data));
        assert_eq!(Content::link(&text, BASE).as_deref(), Some(page));
        assert!(Content::facts(&text).is_empty(), "and the other is shown nowhere");
    }
}

#[test]
fn nothing_of_an_events_data_is_shown_in_debug_output() {
    assert!(!format!("{:?}", with_data(json!({"canary": "canary"}))).contains("canary"));
}
