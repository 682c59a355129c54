//! Letters about what happened in a workspace.
use super::blocks::{Block, Span, Words, page, sentence, workspace_name};
use crate::untrusted;

/// Most facts that are shown: more than any event of ours has.
const MAX_FACTS: usize = 20;

pub(super) fn notification<'a>(
    workspace: &str,
    headline: &str,
    facts: &[(String, String)],
    link: Option<&'a str>,
    settings_link: &'a str,
) -> Words<'a> {
    let workspace = workspace_name(workspace);
    let headline = untrusted::line(headline).unwrap_or_else(|| "Something happened".to_owned());
    let subject = format!("{headline} in \"{workspace}\"");
    let opening = vec![
        Span::ours("This happened in the workspace"),
        Span::Name(workspace),
        Span::ours(":"),
        Span::ours(headline),
    ];
    let mut blocks = vec![Block::Paragraph(opening)];
    let facts: Vec<_> = facts.iter().take(MAX_FACTS).filter_map(|(name, value)| fact(name, value)).collect();
    if !facts.is_empty() {
        blocks.push(Block::Table(None, facts));
    }
    blocks.extend(link.and_then(page).map(|link| Block::Button {
        purpose: "see what happened",
        button: "See what happened",
        link,
    }));
    blocks.extend(page(settings_link).map(|link| Block::Footnote("To get no such mails, or others, open:", link)));
    Words { subject, blocks }
}

/// A fact without a name says nothing; one without a value says that there is none.
fn fact(name: &str, value: &str) -> Option<(Span, Span)> {
    let value = untrusted::text(value).map_or_else(|| Span::ours("none"), Span::Name);
    Some((Span::ours(untrusted::line(name)?), value))
}

pub(super) fn channel_failing<'a>(workspace: &str, channel: &str, reason: &str, link: &'a str) -> Words<'a> {
    let workspace = workspace_name(workspace);
    let channel = untrusted::line(channel).unwrap_or_else(|| "a channel".to_owned());
    let subject = format!("Notifications of \"{workspace}\" no longer reach \"{channel}\"");
    let opening = vec![
        Span::ours("Notifications of the workspace"),
        Span::Name(workspace),
        Span::ours("no longer reach"),
        Span::Name(channel),
        Span::ours("."),
    ];
    let mut blocks = vec![Block::Paragraph(opening)];
    if let Some(reason) = untrusted::text(reason) {
        blocks.push(Block::Paragraph(vec![Span::ours("The reason:"), Span::Name(reason), Span::ours(".")]));
    }
    blocks.push(sentence("Messages may be late or missing there until somebody puts that right."));
    blocks.extend(page(link).map(|link| Block::Button { purpose: "put it right", button: "Put it right", link }));
    Words { subject, blocks }
}

pub(super) fn member_erased<'a>(workspace: &str, seq: i64, link: &'a str) -> Words<'a> {
    let workspace = workspace_name(workspace);
    let subject = format!("Personal data were erased in \"{workspace}\"");
    let opening = vec![
        Span::ours("An admin has erased the personal data of somebody in the workspace"),
        Span::Name(workspace),
        Span::ours(format!("for ever. It is event {seq} of the audit log, which says who did it.")),
    ];
    let mut blocks = vec![Block::Paragraph(opening)];
    blocks.push(sentence("Every admin gets this mail, because what somebody did can't be seen any more afterwards."));
    blocks.extend(page(link).map(|link| Block::Button {
        purpose: "see the audit log",
        button: "See the audit log",
        link,
    }));
    Words { subject, blocks }
}
