//! Charts: inline SVG without script and without styles. Sizes are attributes, colours are the style sheet's.
use maud::{Markup, html};

/// How high a chart is, in its own units.
const HEIGHT: i64 = 100;
/// How wide a bar with its gap is.
const STEP: usize = 10;

/// Bars of equal width, the highest as high as the chart. `summary` says the same in words. A value above nothing is seen
/// however small it is.
pub(crate) fn bars(values: &[i64], summary: &str) -> Markup {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let height = |value: i64| match value.max(0) {
        0 => 0,
        v => i64::try_from(i128::from(v) * i128::from(HEIGHT) / i128::from(most)).unwrap_or(HEIGHT).max(2),
    };
    html! {
        svg.chart role="img" aria-label=(summary) viewBox={ "0 0 " (values.len().max(1) * STEP) " " (HEIGHT) } preserveAspectRatio="none" focusable="false" {
            @for (i, value) in values.iter().enumerate() {
                @let high = height(*value);
                @if high > 0 { rect.bar x=(i * STEP + 1) y=(HEIGHT - high) width=(STEP - 2) height=(high) {} }
                @else { rect.none x=(i * STEP + 1) y=(HEIGHT - 1) width=(STEP - 2) height="1" {} }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_share_and_never_vanish() {
        let svg = bars(&[0, 1, 1_000_000, 500_000], "in words").into_string();
        let heights: Vec<_> = svg.split("height=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
        assert_eq!(heights, ["1", "2", "100", "50"]);
        assert!(svg.contains("aria-label=\"in words\"") && !svg.contains("style"));
        assert!(bars(&[i64::MAX, i64::MAX], "").into_string().contains("height=\"100\""));
        assert!(bars(&[], "").into_string().contains("viewBox=\"0 0 10 100\""));
    }
}
