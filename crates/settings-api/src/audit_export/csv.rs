//! An export as CSV (RFC 4180), for people and their spreadsheets. It proves nothing: for that there are JSON Lines.
use crate::audit::ERASED;
use settings_domain::audit::export::{EventLine, Line, PersonalLine};

const COLUMNS: [&str; 13] = [
    "seq",
    "createdAt",
    "action",
    "risk",
    "actorKind",
    "personId",
    "keyId",
    "targetKind",
    "targetId",
    "changes",
    "details",
    "requestId",
    "hash",
];

/// The rows of these lines; the header where the export begins.
pub(super) fn rows(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        match line {
            Line::Export(_) => row(&mut out, &COLUMNS.map(str::to_owned)),
            Line::Event(event) => row(&mut out, &cells(event)),
            Line::Omitted(_) | Line::Checkpoint(_) | Line::Fault(_) | Line::End(_) => {}
        }
    }
    out
}

fn said(personal: &PersonalLine) -> String {
    personal.value.clone().unwrap_or_else(|| ERASED.to_owned())
}

fn cells(e: &EventLine) -> [String; 13] {
    let own = |field: &str| e.personal.iter().find(|p| p.field == field).map(said);
    let changes = e.changes.iter().map(|c| {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        format!("{}: {} -> {}", c.field, side(&c.from), side(&c.to))
    });
    let others = e.personal.iter().filter(|p| !["actor", "target", "requestId"].contains(&p.field.as_str()));
    let details = others.map(|p| format!("{}: {}", p.field, said(p)));
    [
        e.seq.to_string(),
        e.at.clone(),
        e.action.clone(),
        e.risk.name().to_owned(),
        e.actor_kind.clone(),
        own("actor").unwrap_or_default(),
        e.actor_key.map(|k| k.to_string()).unwrap_or_default(),
        e.target_kind.clone(),
        e.target_id.map(|t| t.to_string()).or_else(|| own("target")).unwrap_or_default(),
        changes.collect::<Vec<_>>().join("; "),
        details.collect::<Vec<_>>().join("; "),
        own("requestId").unwrap_or_default(),
        e.hash.clone(),
    ]
}

fn row(out: &mut String, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push('"');
        for c in harmless(cell).chars() {
            if c == '"' {
                out.push('"');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push_str("\r\n");
}

/// What a spreadsheet takes for the beginning of a formula, in the widths that some of them treat alike.
const STARTS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Text that no spreadsheet computes (CO07, OWASP): an apostrophe stands before whatever would begin a formula, at the
/// beginning of the cell and behind everything that some program may take for the end of one, for example where semicolons
/// part cells. It also stands before an apostrophe there, so that what was typed can be told from what was added.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for c in text.chars() {
        if begins && (STARTS.contains(&c) || c == '\'') {
            out.push('\'');
        }
        // A tab or a line break at the beginning is itself a beginning in some programs.
        begins = matches!(c, ',' | ';' | '|' | '"') || c.is_control() || (begins && c.is_whitespace());
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Typed here once more, so that one that is missing above is missed.
    const FORMULAS: &str = "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}";

    #[test]
    fn no_cell_begins_a_formula_however_a_program_parts_cells() {
        for text in [
            "=HYPERLINK(\"http://evil.example\")",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{a0}=1",
            "\u{ff1d}1",
            "a;=1",
            "a,+1",
            "a\"=1",
            "a\n=1",
            "a|=cmd",
            "x; =1",
            "\u{0}=1",
            "'=1",
        ] {
            let cell = harmless(text);
            for part in cell.split([',', ';', '|', '"', '\n', '\r', '\t', '\u{0}']) {
                assert!(!part.trim().starts_with(|c| FORMULAS.contains(c)), "{text:?} became {cell:?}");
            }
            assert_eq!(cell.chars().filter(|c| *c != '\'').collect::<String>(), text.replace('\'', ""), "{text:?}");
        }
        for start in FORMULAS.chars() {
            assert_eq!(harmless(&format!("{start}1")), format!("'{start}1"));
        }
        for plain in ["", "a", "a-b", "1=1", "ada@example.org", "it's", "scopes: - > runs:read"] {
            assert_eq!(harmless(plain), plain);
        }
    }

    #[test]
    fn every_cell_is_quoted_and_quotes_are_doubled() {
        let mut out = String::new();
        let mut cells: [String; 13] = std::array::from_fn(|_| String::new());
        cells[1] = "a \"b\", c\r\nd".to_owned();
        row(&mut out, &cells);
        assert!(out.starts_with("\"\",\"a \"\"b\"\", c\r\nd\",\"\""), "{out}");
        assert!(out.ends_with("\"\"\r\n"));
    }
}
