//! What the mails say: one text and one HTML form of each letter.
use crate::untrusted;
use maud::{DOCTYPE, Markup, html};
use secrecy::{ExposeSecret, SecretString};
use settings_domain::{policy::Role, ports::mail::Letter};
use std::fmt;
use time::{OffsetDateTime, UtcOffset, format_description::StaticFormatDescription, macros::format_description};

/// Widest line of the text form, links excepted (RFC 5322, 2.1.1).
const COLUMNS: usize = 78;
const EXPIRY: StaticFormatDescription =
    format_description!("[day padding:none] [month repr:long] [year] at [hour]:[minute] UTC");
const UNEXPECTED: &str = "If you did not expect this, ignore it.";

/// A letter in words. Holds the one-time link, so its `Debug` shows the subject alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line of plain text.
    pub subject: String,
    /// The text form, lines ended by `\n`.
    pub text: String,
    /// The HTML form: a whole document.
    pub html: String,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// The parts that both forms are made of. Nothing in it is escaped yet.
struct Words<'a> {
    subject: String,
    /// What happened.
    opening: Vec<Span>,
    /// What the link does, to complete "Open this link to …".
    purpose: &'static str,
    button: &'static str,
    link: &'a str,
    terms: String,
}

/// A stretch of a sentence. Names are kept apart so that each form can set them off: the letter speaks first, and where a
/// stranger's words begin and end is plain to see.
enum Span {
    Ours(&'static str),
    Name(String),
}

/// Writes a letter.
#[must_use]
pub fn render(letter: &Letter) -> Rendered {
    let words = match letter {
        Letter::Invitation { workspace, inviter, role, link, expires_at } => {
            invitation(workspace, inviter.as_deref(), *role, link.expose_secret(), *expires_at)
        }
        Letter::SignIn { link, expires_at } => sign_in(link.expose_secret(), *expires_at),
    };
    Rendered { text: text(&words), html: document(&words).into_string(), subject: words.subject }
}

/// The link that the letter carries, for the local mailbox, which shows it apart.
pub(crate) const fn link(letter: &Letter) -> &SecretString {
    match letter {
        Letter::Invitation { link, .. } | Letter::SignIn { link, .. } => link,
    }
}

fn invitation<'a>(
    workspace: &str,
    inviter: Option<&str>,
    role: Role,
    link: &'a str,
    expires_at: OffsetDateTime,
) -> Words<'a> {
    let workspace = untrusted::line(workspace).unwrap_or_else(|| "Unnamed workspace".to_owned());
    let by = match inviter.and_then(untrusted::line) {
        Some(inviter) => {
            vec![Span::Ours("You are invited by"), Span::Name(inviter), Span::Ours("to join the workspace")]
        }
        None => vec![Span::Ours("You are invited to join the workspace")],
    };
    let role = match role {
        Role::Admin => "as an admin.",
        Role::Editor => "as an editor.",
        Role::Viewer => "as a viewer.",
    };
    let subject = format!("Invitation to join \"{workspace}\"");
    let opening = by.into_iter().chain([Span::Name(workspace), Span::Ours(role)]).collect();
    Words {
        subject,
        opening,
        purpose: "accept the invitation",
        button: "Accept the invitation",
        link,
        terms: terms(expires_at),
    }
}

fn sign_in(link: &str, expires_at: OffsetDateTime) -> Words<'_> {
    Words {
        subject: "Your sign-in link".to_owned(),
        opening: vec![
            Span::Ours("You asked for a link to sign in."),
            Span::Ours("Do not forward this mail: whoever opens the link is signed in as you."),
        ],
        purpose: "sign in",
        button: "Sign in",
        link,
        terms: terms(expires_at),
    }
}

fn terms(expires_at: OffsetDateTime) -> String {
    // Neither step can fail for an instant of this era; a mail without the date is better than none at all.
    let until = expires_at.checked_to_offset(UtcOffset::UTC).and_then(|t| t.format(EXPIRY).ok());
    match until {
        Some(until) => format!("The link can be used once and expires on {until}."),
        None => "The link can be used once.".to_owned(),
    }
}

fn text(words: &Words<'_>) -> String {
    let span = |span: &Span| match span {
        Span::Ours(words) => (*words).to_owned(),
        Span::Name(name) => format!("\"{name}\""),
    };
    let opening = words.opening.iter().map(span).collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    for paragraph in [wrap(&opening), wrap(&format!("Open this link to {}:", words.purpose))] {
        out.push_str(&paragraph);
        out.push('\n');
    }
    // Unwrapped: a client links a URL up to the end of its line.
    out.push_str(words.link);
    out.push_str("\n\n");
    out.push_str(&wrap(&words.terms));
    out.push('\n');
    out.push_str(&wrap(UNEXPECTED));
    out
}

/// Breaks a paragraph into lines of at most [`COLUMNS`] characters, each ended by `\n`.
fn wrap(paragraph: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in paragraph.split(' ') {
        let width = word.chars().count();
        if column > 0 {
            let fits = column + 1 + width <= COLUMNS;
            out.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        // A word that is wider than a line (a name without spaces) is cut.
        for c in word.chars() {
            if column == COLUMNS {
                out.push('\n');
                column = 0;
            }
            out.push(c);
            column += 1;
        }
    }
    out.push('\n');
    out
}

/// Colours: text and page keep the client's own, so that light and dark both read; only the button brings a pair, which
/// has a contrast of 6.7:1 within itself and stands out from white as well as from black.
fn document(words: &Words<'_>) -> Markup {
    const BODY: &str = "margin:0;padding:24px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,\
                        sans-serif;font-size:16px;line-height:1.5";
    const BUTTON: &str = "display:inline-block;padding:14px 28px;font-size:18px;font-weight:600;color:#ffffff;\
                          background-color:#1d4ed8;border-radius:8px;text-decoration:none";
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                // A stranger's name may hold a telephone number or a street: no client shall make it a link.
                meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no";
                style { ":root{color-scheme:light dark}" }
                title { (words.subject) }
            }
            body style=(BODY) {
                div style="max-width:560px;margin:0 auto" {
                    p {
                        @for (i, span) in words.opening.iter().enumerate() {
                            @if i > 0 { " " }
                            @match span {
                                Span::Ours(words) => { (words) }
                                // Isolated, so that a name written from right to left turns nothing else around.
                                Span::Name(name) => { strong { bdi { (name) } } }
                            }
                        }
                    }
                    table role="presentation" cellspacing="0" cellpadding="0" border="0" style="margin:24px 0" {
                        tr {
                            // The cell's own colour makes the button one in Outlook, which ignores padding on links.
                            td bgcolor="#1d4ed8" style="border-radius:8px" {
                                a href=(words.link) style=(BUTTON) { (words.button) }
                            }
                        }
                    }
                    p {
                        "Or open this link to " (words.purpose) ":" br;
                        a href=(words.link) style="word-break:break-all;color:inherit" { (words.link) }
                    }
                    p { (words.terms) }
                    p { (UNEXPECTED) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, Rendered, render, wrap};
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
        let mail =
            render(&Letter::SignIn { link: SecretString::from(LINK), expires_at: datetime!(2026-12-31 23:59 UTC) });
        assert_eq!(mail.subject, "Your sign-in link");
        assert!(
            mail.text.contains(
                "\nOpen this link to sign in:\n\nhttps://settings.example/invitations/accept?a=1&token=abc\n"
            ),
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
        assert_eq!(wrap(&"a".repeat(80)), format!("{}\naa\n", "a".repeat(78)));
        assert_eq!(wrap(&format!("{} b", "a".repeat(76))), format!("{} b\n", "a".repeat(76)));
        assert_eq!(wrap(&format!("{} bc", "a".repeat(76))), format!("{}\nbc\n", "a".repeat(76)));
    }

    #[test]
    fn debug_shows_no_link() {
        assert!(!format!("{:?}", invite("Acme", None, Role::Admin)).contains("token"));
    }
}
