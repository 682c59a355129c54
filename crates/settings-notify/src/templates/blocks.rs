//! What both forms of a letter are made of.
use crate::untrusted;
use std::borrow::Cow;
use time::{OffsetDateTime, UtcOffset, format_description::StaticFormatDescription, macros::format_description};
use url::Url;

const INSTANT: StaticFormatDescription =
    format_description!("[day padding:none] [month repr:long] [year] at [hour]:[minute] UTC");

/// A letter. Nothing in it is escaped yet; what is a stranger's has been through [`untrusted`].
pub(super) struct Words<'a> {
    pub(super) subject: String,
    pub(super) blocks: Vec<Block<'a>>,
}

/// A part that stands on its own.
pub(super) enum Block<'a> {
    Paragraph(Vec<Span>),
    /// A link that is to be followed. `purpose` completes "Open this link to …".
    Button {
        purpose: &'static str,
        button: &'static str,
        link: &'a str,
    },
    /// A link that is there for whoever looks for it: what it is for, and where it leads.
    Footnote(&'static str, &'a str),
    /// Names with values, under a heading or not.
    Table(Option<&'static str>, Vec<(Span, Span)>),
    /// What happened, one thing after the other.
    Events(Vec<Event<'a>>),
    /// Something that is worth nothing if a character is missing.
    Verbatim(&'a str),
}

/// Something that happened: when and how bad, what, who and to what, and its page.
pub(super) struct Event<'a> {
    pub(super) head: String,
    pub(super) said: Vec<Span>,
    pub(super) link: Option<&'a str>,
}

/// A stretch of a sentence. Names are kept apart so that each form can set them off: the letter speaks first, and where a
/// stranger's words begin and end is plain to see.
pub(super) enum Span {
    Ours(Cow<'static, str>),
    Name(String),
}

impl Span {
    /// Words of this program.
    pub(super) fn ours(words: impl Into<Cow<'static, str>>) -> Self {
        Self::Ours(words.into())
    }

    /// Whether a space goes before it.
    pub(super) fn stands_off(&self) -> bool {
        !matches!(self, Self::Ours(words) if words.starts_with(['.', ',', ':']))
    }
}

/// A paragraph in our own words.
pub(super) fn sentence<'a>(words: impl Into<Cow<'static, str>>) -> Block<'a> {
    Block::Paragraph(vec![Span::ours(words)])
}

/// The workspace's name, as it may be shown.
pub(super) fn workspace_name(name: &str) -> String {
    untrusted::line(name).unwrap_or_else(|| "Unnamed workspace".to_owned())
}

/// An instant in words. `None` for one that no calendar of ours has; a mail without the date is better than none at all.
pub(super) fn instant(at: OffsetDateTime) -> Option<String> {
    at.checked_to_offset(UtcOffset::UTC)?.format(INSTANT).ok()
}

/// A link, if it leads to a web page and cannot end where it should go on. Ours always do; but what comes of data is
/// looked at once more.
pub(super) fn page(link: &str) -> Option<&str> {
    let web = Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let whole = link.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"'));
    (web && whole).then_some(link)
}
