//! The text form.
use super::blocks::{Block, Event, Span, Words};

/// Widest line, links and what is verbatim excepted (RFC 5322, 2.1.1).
pub(super) const COLUMNS: usize = 78;
/// How far lists are moved in, so that no part of a stranger's text begins a line where ours do.
const INDENT: usize = 2;

/// All blocks, with an empty line between any two.
pub(super) fn text(words: &Words<'_>) -> String {
    words.blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn block(block: &Block<'_>) -> String {
    match block {
        Block::Paragraph(spans) => wrap(&said(spans), 0),
        // Unwrapped: a client links a URL up to the end of its line.
        Block::Button { purpose, link, .. } => {
            format!("{}\n{link}\n", wrap(&format!("Open this link to {purpose}:"), 0))
        }
        Block::Footnote(purpose, link) => format!("{}{link}\n", wrap(purpose, 0)),
        Block::Table(heading, rows) => {
            let heading = heading.map(|heading| wrap(&format!("{heading}:"), 0)).unwrap_or_default();
            let row = |(name, value): &(Span, Span)| wrap(&format!("{}: {}", span(name), span(value)), INDENT);
            heading + &rows.iter().map(row).collect::<String>()
        }
        Block::Events(events) => events.iter().map(event).collect::<Vec<_>>().join("\n"),
        Block::Verbatim(text) => format!("{}\n", text.trim_end_matches('\n')),
    }
}

fn event(event: &Event<'_>) -> String {
    let link = event.link.map(|link| format!("{}{link}\n", " ".repeat(INDENT))).unwrap_or_default();
    wrap(&event.head, 0) + &wrap(&said(&event.said), INDENT) + &link
}

fn said(spans: &[Span]) -> String {
    let mut out = String::new();
    for next in spans {
        if !out.is_empty() && next.stands_off() {
            out.push(' ');
        }
        out.push_str(&span(next));
    }
    out
}

fn span(span: &Span) -> String {
    match span {
        Span::Ours(words) => words.clone().into_owned(),
        Span::Name(name) => format!("\"{name}\""),
    }
}

/// Breaks a paragraph into lines of at most [`COLUMNS`] characters, each moved in and ended by `\n`.
pub(super) fn wrap(paragraph: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let mut out = margin.clone();
    let mut column = indent;
    for word in paragraph.split(' ') {
        let width = word.chars().count();
        if column > indent {
            let fits = column + 1 + width <= COLUMNS;
            if fits {
                out.push(' ');
                column += 1;
            } else {
                out.push('\n');
                out.push_str(&margin);
                column = indent;
            }
        }
        // A word that is wider than a line (a name without spaces) is cut.
        for c in word.chars() {
            if column == COLUMNS {
                out.push('\n');
                out.push_str(&margin);
                column = indent;
            }
            out.push(c);
            column += 1;
        }
    }
    out.push('\n');
    out
}
