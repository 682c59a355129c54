//! The digest of the audit log.
use super::blocks::{Block, Event, Span, Words, instant, page, sentence, workspace_name};
use crate::untrusted;
use settings_domain::{
    audit::Risk,
    ports::mail::{AuditDigestLetter, DigestLine},
};

/// Most events that are shown, and most actors. Large mails are cut off by their readers' programs.
const MAX_EVENTS: usize = 100;
const MAX_ACTORS: usize = 20;

pub(super) fn audit_digest(letter: &AuditDigestLetter) -> Words<'_> {
    let workspace = workspace_name(&letter.workspace);
    let total = letter.totals.iter().fold(0, |sum: i64, (_, count)| sum.saturating_add(*count));
    let critical: i64 = letter.totals.iter().filter(|(risk, _)| *risk == Risk::Critical).map(|(_, count)| *count).sum();
    let alarm = if critical > 0 { format!(", {critical} critical") } else { String::new() };
    let subject = format!("Audit digest of \"{workspace}\": {}{alarm}", count(total));
    let mut blocks = vec![Block::Paragraph(opening(letter, workspace, total))];
    if total > 0 {
        let totals = letter.totals.iter().map(|(risk, n)| (Span::ours(risk.name()), number(*n))).collect();
        blocks.push(Block::Table(Some("Events by risk"), totals));
    }
    let name = |name: &str| untrusted::line(name).map_or_else(|| Span::ours("nobody with a name"), Span::Name);
    let actors: Vec<_> = letter.actors.iter().take(MAX_ACTORS).map(|(actor, n)| (name(actor), number(*n))).collect();
    if !actors.is_empty() {
        blocks.push(Block::Table(Some("Who did the most"), actors));
    }
    let events: Vec<_> = letter.events.iter().take(MAX_EVENTS).map(event).collect();
    let left_out = i64::try_from(letter.events.len() - events.len()).unwrap_or(i64::MAX);
    let more = letter.more.max(0).saturating_add(left_out);
    if !events.is_empty() {
        blocks.push(Block::Events(events));
    }
    if more > 0 {
        blocks.push(sentence(format!("The audit log shows {} more.", count(more))));
    }
    blocks.extend(page(&letter.link).map(|link| Block::Button {
        purpose: "see the audit log",
        button: "See the audit log",
        link,
    }));
    if let Some(checkpoint) = &letter.checkpoint {
        blocks.push(sentence(
            "Keep this signed note. With it you can check later that nothing that the audit log held by then was changed \
             or removed.",
        ));
        blocks.push(Block::Verbatim(checkpoint));
    }
    blocks.extend(
        page(&letter.settings_link).map(|link| Block::Footnote("To get no such digests, or others, open:", link)),
    );
    Words { subject, blocks }
}

fn opening(letter: &AuditDigestLetter, workspace: String, total: i64) -> Vec<Span> {
    let said = if total > 0 { format!("had {}", count(total)) } else { "had no events".to_owned() };
    let when = match (letter.from.and_then(instant), instant(letter.to)) {
        (Some(from), Some(to)) => format!("from {from} to {to}"),
        (None, Some(to)) => format!("until {to}"),
        (_, None) => "since the last digest".to_owned(),
    };
    vec![Span::ours("The audit log of the workspace"), Span::Name(workspace), Span::ours(format!("{said} {when}."))]
}

fn event(line: &DigestLine) -> Event<'_> {
    let mut head = instant(line.at).unwrap_or_default();
    if !head.is_empty() {
        head.push_str(", ");
    }
    head.push_str(line.risk.name());
    let mut said = vec![action(&line.action)];
    if let Some(actor) = line.actor.as_deref().and_then(untrusted::line) {
        said.extend([Span::ours("by"), Span::Name(actor)]);
    }
    if let Some(target) = untrusted::line(&line.target) {
        said.extend([Span::ours(":"), Span::Name(target)]);
    }
    Event { head, said, link: page(&line.link) }
}

/// The name of an action, such as `secret.accessed`, to the letter: it is what one searches the log for, and ours. What does
/// not look like one is set off as a stranger's word.
fn action(name: &str) -> Span {
    let ours =
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'));
    if ours {
        return Span::ours(name.to_owned());
    }
    untrusted::line(name).map_or_else(|| Span::ours("something without a name"), Span::Name)
}

fn count(n: i64) -> String {
    match n {
        1 => "1 event".to_owned(),
        n if n <= 0 => "no events".to_owned(),
        n => format!("{n} events"),
    }
}

fn number(n: i64) -> Span {
    Span::ours(n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::{Rendered, render};
    use settings_domain::ports::mail::Letter;
    use time::{Duration, OffsetDateTime, macros::datetime};

    const TO: OffsetDateTime = datetime!(2026-08-06 09:00 UTC);

    fn rendered(totals: &[(Risk, i64)], shown: usize, more: i64, from: Option<OffsetDateTime>) -> Rendered {
        let event = |n| DigestLine {
            at: TO - Duration::hours(1),
            risk: Risk::Low,
            action: "member.invited".to_owned(),
            actor: Some("Ada".to_owned()),
            target: format!("event number {n} "),
            link: "https://settings.example/e".to_owned(),
        };
        render(&Letter::AuditDigest(Box::new(AuditDigestLetter {
            workspace: "Acme".to_owned(),
            from,
            to: TO,
            totals: totals.to_vec(),
            actors: (0..shown).map(|n| (format!("Actor {n}"), 1)).collect(),
            events: (0..shown).map(event).collect(),
            more,
            checkpoint: None,
            link: "https://settings.example/audit".to_owned(),
            settings_link: "https://settings.example/digest".to_owned(),
        })))
    }

    #[test]
    fn the_subject_counts_the_events_and_names_the_critical_ones() {
        for (totals, subject) in [
            (&[][..], "Audit digest of \"Acme\": no events"),
            (&[(Risk::Low, 1)], "Audit digest of \"Acme\": 1 event"),
            (&[(Risk::Low, 7), (Risk::High, 3)], "Audit digest of \"Acme\": 10 events"),
            (&[(Risk::Low, 7), (Risk::Critical, 3)], "Audit digest of \"Acme\": 10 events, 3 critical"),
            (&[(Risk::Low, i64::MAX), (Risk::High, 1)], "Audit digest of \"Acme\": 9223372036854775807 events"),
        ] {
            assert_eq!(rendered(totals, 0, 0, None).subject, subject);
        }
    }

    #[test]
    fn an_event_is_when_how_bad_what_who_to_what_and_where() {
        let mail = rendered(&[(Risk::Low, 2), (Risk::High, 0)], 1, 1, Some(TO - Duration::DAY));
        assert_eq!(
            mail.text,
            "The audit log of the workspace \"Acme\" had 2 events from 5 August 2026 at 09:00\nUTC to 6 August 2026 at \
             09:00 UTC.\n\n\
             Events by risk:\n  low: 2\n  high: 0\n\n\
             Who did the most:\n  \"Actor 0\": 1\n\n\
             6 August 2026 at 08:00 UTC, low\n  member.invited by \"Ada\": \"event number 0\"\n  \
             https://settings.example/e\n\n\
             The audit log shows 1 event more.\n\n\
             Open this link to see the audit log:\n\nhttps://settings.example/audit\n\n\
             To get no such digests, or others, open:\nhttps://settings.example/digest\n"
        );
        for said in ["<h2", "member.invited by <strong><bdi>Ada</bdi></strong>: ", "see the event</a>", "5 August 2026"]
        {
            assert!(mail.html.contains(said), "{said} in {}", mail.html);
        }
    }

    #[test]
    fn the_first_digest_has_no_beginning() {
        let text = rendered(&[(Risk::Low, 2)], 0, 2, None).text;
        assert!(text.contains("had 2 events until 6 August 2026 at\n09:00 UTC."), "{text}");
    }

    #[test]
    fn no_more_than_a_hundred_events_are_shown_and_the_others_are_counted() {
        let mail = rendered(&[(Risk::Low, 205)], 105, 100, None);
        assert!(mail.text.contains("event number 99\"") && !mail.text.contains("event number 100\""), "{}", mail.text);
        assert!(mail.text.contains("shows 105 events more.") && mail.html.contains("shows 105 events more."));
        assert!(mail.text.contains("Actor 19") && !mail.text.contains("Actor 20"), "{}", mail.text);
        // Some programs cut off what is longer than about 100 KB.
        assert!(mail.html.len() < 60_000, "{}", mail.html.len());
    }
}
