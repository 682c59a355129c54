//! What all letters have in common, and those with a one-time link.
use super::{
    Rendered, render,
    text::{COLUMNS, wrap},
};
use secrecy::SecretString;
use settings_domain::{policy::Role, ports::mail::Letter};
use time::macros::datetime;

const LINK: &str = "https://settings.example/invitations/accept?a=1&token=abc";

fn invite(workspace: &str, inviter: Option<&str>, role: Role) -> Rendered {
    render(&Letter::Invitation {
        workspace: workspace.to_owned(),
        inviter: inviter.map(str::to_owned),
        role,
        link: SecretString::from(LINK),
        expires_at: datetime!(2026-08-07 01:05:59 +02:00),
    })
}

#[test]
fn an_invitation_says_who_what_and_until_when() {
    let mail = invite("Acme", Some("Ada Lovelace"), Role::Editor);
    assert_eq!(mail.subject, "Invitation to join \"Acme\"");
    assert_eq!(
        mail.text,
        "You are invited by \"Ada Lovelace\" to join the workspace \"Acme\" as an editor.\n\n\
         Open this link to accept the invitation:\n\n\
         https://settings.example/invitations/accept?a=1&token=abc\n\n\
         The link can be used once and expires on 6 August 2026 at 23:05 UTC.\n\n\
         If you did not expect this, ignore it.\n"
    );
    for said in [
        "Ada Lovelace",
        "Acme",
        "as an editor.",
        "can be used once",
        "6 August 2026 at 23:05 UTC",
        "did not expect this, ignore it",
    ] {
        assert!(mail.html.contains(said), "{said}");
    }
    assert!(
        invite("Acme", None, Role::Viewer)
            .text
            .starts_with("You are invited to join the workspace \"Acme\" as a viewer.")
    );
    assert!(
        invite("Acme", Some("\u{202e}\r\n"), Role::Admin)
            .text
            .starts_with("You are invited to join the workspace \"Acme\" as an admin.")
    );
    assert_eq!(invite("\u{200b}", None, Role::Admin).subject, "Invitation to join \"Unnamed workspace\"");
}

#[test]
fn a_sign_in_link_says_what_it_is_for() {
    let mail = render(&Letter::SignIn { link: SecretString::from(LINK), expires_at: datetime!(2026-12-31 23:59 UTC) });
    assert_eq!(mail.subject, "Your sign-in link");
    assert!(
        mail.text
            .contains("\nOpen this link to sign in:\n\nhttps://settings.example/invitations/accept?a=1&token=abc\n"),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("expires on 31 December 2026 at 23:59 UTC."), "{}", mail.text);
}

#[test]
fn both_forms_link_to_the_one_place_and_read_in_the_dark() {
    let mail = invite("Acme", None, Role::Admin);
    let href = "href=\"https://settings.example/invitations/accept?a=1&amp;token=abc\"";
    assert_eq!((mail.html.matches(href).count(), mail.html.matches("href=").count()), (2, 2));
    assert!(mail.html.contains("<meta name=\"color-scheme\" content=\"light dark\">"));
    // The words hold no exclamation mark; the document type does.
    assert_eq!((mail.text.matches('!').count(), mail.html.matches('!').count()), (0, 1));
}

#[test]
fn names_are_escaped_in_html_and_quoted_in_text() {
    let mail = invite("<img src=x onerror=alert(1)>\" & co", Some("<script>'"), Role::Admin);
    assert!(!mail.html.contains("<img") && !mail.html.contains("<script"), "{}", mail.html);
    assert!(mail.html.contains("&lt;img src=x onerror=alert(1)&gt;' &amp; co"), "{}", mail.html);
    assert_eq!(mail.text.matches('"').count(), 4, "{}", mail.text);
}

#[test]
fn lines_are_short_except_the_links() {
    let mail = invite(&"w".repeat(200), Some(&"long name ".repeat(20)), Role::Admin);
    for line in mail.text.lines().filter(|l| !l.starts_with("https://settings.example/")) {
        assert!(line.chars().count() <= COLUMNS && !line.ends_with(' '), "{line}");
    }
    assert_eq!(wrap(&"a".repeat(80), 0), format!("{}\naa\n", "a".repeat(78)));
    assert_eq!(wrap(&format!("{} b", "a".repeat(76)), 0), format!("{} b\n", "a".repeat(76)));
    assert_eq!(wrap(&format!("{} bc", "a".repeat(76)), 0), format!("{}\nbc\n", "a".repeat(76)));
}

#[test]
fn debug_shows_no_link() {
    assert!(!format!("{:?}", invite("Acme", None, Role::Admin)).contains("token"));
}
