//! Letters with a one-time link.
use super::blocks::{Block, Span, Words, instant, sentence, workspace_name};
use crate::untrusted;
use settings_domain::policy::Role;
use time::OffsetDateTime;

const UNEXPECTED: &str = "If you did not expect this, ignore it.";

pub(super) fn invitation<'a>(
    workspace: &str,
    inviter: Option<&str>,
    role: Role,
    link: &'a str,
    expires_at: OffsetDateTime,
) -> Words<'a> {
    let workspace = workspace_name(workspace);
    let mut opening = match inviter.and_then(untrusted::line) {
        Some(inviter) => {
            vec![Span::ours("You are invited by"), Span::Name(inviter), Span::ours("to join the workspace")]
        }
        None => vec![Span::ours("You are invited to join the workspace")],
    };
    let role = match role {
        Role::Admin => "as an admin.",
        Role::Editor => "as an editor.",
        Role::Viewer => "as a viewer.",
    };
    let subject = format!("Invitation to join \"{workspace}\"");
    opening.extend([Span::Name(workspace), Span::ours(role)]);
    let button = Block::Button { purpose: "accept the invitation", button: "Accept the invitation", link };
    Words {
        subject,
        blocks: vec![Block::Paragraph(opening), button, sentence(terms(expires_at)), sentence(UNEXPECTED)],
    }
}

pub(super) fn invitation_asked<'a>(workspace: &str, invited: &str, link: &'a str) -> Words<'a> {
    let workspace = workspace_name(workspace);
    let subject = format!("Somebody asks for a new invitation to \"{workspace}\"");
    let invited = untrusted::line(invited).unwrap_or_else(|| "an address".to_owned());
    let opening = vec![
        Span::ours("The invitation of"),
        Span::Name(invited),
        Span::ours("to the workspace"),
        Span::Name(workspace),
        Span::ours("has expired, and whoever holds its link asks for a new one."),
    ];
    let button = Block::Button { purpose: "send the invitation again", button: "Open the members", link };
    let calm = "Nothing was changed. If you do not want them to join, revoke the invitation or let it be.";
    Words { subject, blocks: vec![Block::Paragraph(opening), button, sentence(calm)] }
}

pub(super) fn sign_in(link: &str, expires_at: OffsetDateTime) -> Words<'_> {
    let opening = vec![
        Span::ours("You asked for a link to sign in."),
        Span::ours("Do not forward this mail: whoever opens the link is signed in as you."),
    ];
    let button = Block::Button { purpose: "sign in", button: "Sign in", link };
    Words {
        subject: "Your sign-in link".to_owned(),
        blocks: vec![Block::Paragraph(opening), button, sentence(terms(expires_at)), sentence(UNEXPECTED)],
    }
}

fn terms(expires_at: OffsetDateTime) -> String {
    match instant(expires_at) {
        Some(until) => format!("The link can be used once and expires on {until}."),
        None => "The link can be used once.".to_owned(),
    }
}
