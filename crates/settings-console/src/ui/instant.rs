//! Instants as people read them. The exact one is always in the markup.
use maud::{Markup, html};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// `14 Jan 2025`.
pub(crate) fn day(at: OffsetDateTime) -> String {
    at.format(format_description!("[day padding:none] [month repr:short] [year]")).unwrap_or_default()
}

fn exact(at: OffsetDateTime) -> String {
    at.format(format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]:[second] UTC"))
        .unwrap_or_default()
}

/// `Mon 5 Jan 2026, 08:00 UTC`: of what is planned to the hour.
pub(crate) fn moment(at: OffsetDateTime) -> String {
    at.format(format_description!(
        "[weekday repr:short] [day padding:none] [month repr:short] [year], [hour]:[minute] UTC"
    ))
    .unwrap_or_default()
}

/// A day, with the instant behind it. `shown` is what is read instead, where it is given.
pub(crate) fn when(at: OffsetDateTime, shown: Option<String>) -> Markup {
    let machine = at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default();
    html! { time datetime=(machine) title=(exact(at)) { (shown.unwrap_or_else(|| day(at))) } }
}

/// `4 minutes ago`, `in 5 days`.
pub(crate) fn ago(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let ahead = at > now;
    let span = if ahead { at - now } else { now - at };
    let (n, unit) = match span {
        s if s < Duration::minutes(1) => return if ahead { "in a moment" } else { "just now" }.to_owned(),
        s if s < Duration::hours(1) => (s.whole_minutes(), "minute"),
        s if s < Duration::days(1) => (s.whole_hours(), "hour"),
        s => (s.whole_days(), "day"),
    };
    let plural = if n == 1 { "" } else { "s" };
    if ahead { format!("in {n} {unit}{plural}") } else { format!("{n} {unit}{plural} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn spans_are_said_in_their_largest_unit() {
        let now = datetime!(2026-01-05 12:00 UTC);
        let said = |d: Duration| ago(now + d, now);
        assert_eq!(said(Duration::seconds(-59)), "just now");
        assert_eq!(said(Duration::minutes(-1)), "1 minute ago");
        assert_eq!(said(Duration::hours(-23)), "23 hours ago");
        assert_eq!(said(Duration::days(-63)), "63 days ago");
        assert_eq!(said(Duration::days(5)), "in 5 days");
        assert_eq!((day(now), moment(now)), ("5 Jan 2026".to_owned(), "Mon 5 Jan 2026, 12:00 UTC".to_owned()));
    }
}
