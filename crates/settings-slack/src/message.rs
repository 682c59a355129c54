//! A message as Block Kit (NO12, NO13).
//!
//! All of it may be strangers' words. Slack finds mentions, links and channels in what lies between `<` and `>`, and in bare
//! text where it is told to look. So those signs are escaped, Slack is told not to look, and the few words that would call
//! everybody are broken up besides, in case some day it looks all the same.
use serde_json::{Value, json};
use settings_domain::{ids::DeliveryId, ports::slack::SlackMessage};
use url::Url;

/// Longest header (Block Kit: 150).
const MAX_HEADER: usize = 150;
/// Longest text of a section (Block Kit: 3000), and of the fallback.
const MAX_SECTION: usize = 3000;
/// Longest field. Block Kit takes 2000, but no message over 40,000: twenty of these stay well below that.
const MAX_FIELD: usize = 1000;
/// Longest name of a field, of that.
const MAX_NAME: usize = 100;
/// Most fields, and how many a section takes.
const MAX_FIELDS: usize = 20;
const FIELDS_PER_SECTION: usize = 10;
/// The words that mention many people, without the sign before them.
const CALLS: [&str; 4] = ["channel", "everyone", "group", "here"];

/// What is sent to `chat.postMessage`.
pub(crate) fn render(channel: &str, message: &SlackMessage, delivery: DeliveryId) -> Value {
    let headline = line(&message.headline, MAX_HEADER);
    let mut text = line(&message.text, MAX_SECTION);
    if text.is_empty() {
        text.clone_from(&headline);
    }
    let mut blocks = Vec::new();
    if !headline.is_empty() {
        blocks.push(json!({"type": "header", "text": {"type": "plain_text", "text": headline, "emoji": false}}));
    }
    let fields: Vec<Value> = message
        .fields
        .iter()
        .take(MAX_FIELDS)
        .filter_map(|(name, value)| field(name, value))
        .map(|text| mrkdwn(&text))
        .collect();
    for some in fields.chunks(FIELDS_PER_SECTION) {
        blocks.push(json!({"type": "section", "fields": some}));
    }
    // A link and not a button: Slack reports each click on a button to the app, and shows a warning where the app takes no
    // such reports.
    if let Some(link) = message.link.as_ref().and_then(|(label, url)| link(label, url)) {
        blocks.push(json!({"type": "section", "text": mrkdwn(&link)}));
    }
    if blocks.is_empty() && !text.is_empty() {
        blocks.push(json!({"type": "section", "text": mrkdwn(&text)}));
    }
    json!({
        "channel": channel,
        "text": text,
        "blocks": blocks,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "metadata": {"event_type": "settings_notification", "event_payload": {"delivery": delivery.to_string()}},
    })
}

/// `verbatim` tells Slack to look for nothing in it but what stands between `<` and `>`.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// Name and value, on lines of their own; `None` where there is neither.
fn field(name: &str, value: &str) -> Option<String> {
    // A star would end the bold type before the name ends.
    let name = line(&name.replace('*', ""), MAX_NAME);
    let value = line(value, MAX_FIELD - MAX_NAME - 3);
    match (name.is_empty(), value.is_empty()) {
        (true, true) => None,
        (true, false) => Some(value),
        (false, true) => Some(format!("*{name}*\nnone")),
        (false, false) => Some(format!("*{name}*\n{value}")),
    }
}

/// Slack's form of a link, if it leads to a web page.
fn link(label: &str, url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    // Normalised, so without spaces and `<>`; a bar would end the address, and what follows would be shown for it.
    let url = escape(&url.as_str().replace('|', "%7C"), MAX_SECTION);
    let label = line(label, MAX_HEADER);
    let label = if label.is_empty() { "Open".to_owned() } else { label };
    // Cut off, it would lead elsewhere.
    (url.chars().count() + label.chars().count() + 3 <= MAX_SECTION && !url.ends_with('…'))
        .then(|| format!("<{url}|{label}>"))
}

/// One visible line, escaped, of at most `max` characters as Slack counts them.
fn line(text: &str, max: usize) -> String {
    // Enough of the input to fill the line, little enough that size is no lever.
    let visible: String = text.chars().take(5 * max).filter(|c| !is_hidden(*c)).collect();
    escape(&break_calls(&visible.split_whitespace().collect::<Vec<_>>().join(" ")), max)
}

/// `&`, `<` and `>` as Slack wants them, and no more than fits: an escape is never cut in two.
fn escape(text: &str, max: usize) -> String {
    let mut out = String::new();
    // In UTF-16, which is what a browser counts in, and never fewer than characters.
    let mut length = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut buffer = [0; 4];
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => c.encode_utf8(&mut buffer),
        };
        let width = piece.encode_utf16().count();
        // Room for the ellipsis, unless this is the last one.
        let room = max - usize::from(chars.peek().is_some());
        if length + width > room {
            out.push('…');
            break;
        }
        length += width;
        out.push_str(piece);
    }
    out
}

/// `@here` and its like, also as Slack writes them (`!here`), with something invisible in them.
fn break_calls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        out.push(c);
        let after = text.get(at + 1..).filter(|_| matches!(c, '@' | '!')).unwrap_or_default();
        if CALLS.iter().any(|call| after.get(..call.len()).is_some_and(|word| word.eq_ignore_ascii_case(call))) {
            out.push('\u{2060}');
        }
    }
    out
}

/// What shows nothing but changes what is shown: controls, text direction, zero-width characters that no script needs.
fn is_hidden(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests;
