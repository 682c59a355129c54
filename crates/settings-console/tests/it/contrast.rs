//! The colours, read off the style sheet: every pair that is used has the contrast of WCAG 2.2 AA in both themes.
use std::collections::BTreeMap;

const CSS: &str = include_str!("../../assets/app.css");

/// Text or edge, what it stands on, and the contrast it needs.
const PAIRS: &[(&str, &str, f64)] = &[
    ("text", "bg", 4.5),
    ("text", "surface", 4.5),
    ("text-2", "bg", 4.5),
    ("text-2", "surface", 4.5),
    ("text-2", "sunken", 4.5),
    ("text-2", "hover", 4.5),
    ("text-2", "accent-soft", 4.5),
    ("accent", "bg", 4.5),
    ("accent", "surface", 4.5),
    ("accent", "accent-soft", 4.5),
    ("on-fill", "accent-fill", 4.5),
    ("on-fill", "accent-fill-hover", 4.5),
    ("danger", "surface", 4.5),
    ("danger", "danger-soft", 4.5),
    ("danger", "sunken", 4.5),
    ("on-fill", "danger-fill", 4.5),
    ("on-fill", "danger-fill-hover", 4.5),
    ("warn", "warn-soft", 4.5),
    ("text", "warn-soft", 4.5),
    ("ok", "ok-soft", 4.5),
    ("ok", "surface", 4.5),
    ("ok", "accent-soft", 4.5),
    ("text", "danger-soft", 4.5),
    ("control", "surface", 3.0),
    ("control", "bg", 3.0),
    ("accent-fill", "surface", 3.0),
    ("accent", "hover", 3.0),
];

fn luminance(hex: &str) -> f64 {
    let channel = |i: usize| {
        let c = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    if a > b { a / b } else { b / a }
}

#[test]
fn every_pair_of_tokens_can_be_read() {
    let mut tokens: BTreeMap<&str, [&str; 2]> = BTreeMap::from([("on-fill", ["#ffffff", "#ffffff"])]);
    for line in CSS.lines() {
        let Some((name, value)) = line.trim().strip_prefix("--").and_then(|l| l.split_once(": light-dark(")) else {
            continue;
        };
        let mut colours = value.split([',', ')']).map(str::trim);
        let (light, dark) = (colours.next().unwrap(), colours.next().unwrap());
        if light.len() == 7 && dark.len() == 7 {
            tokens.insert(name, [light, dark]);
        }
    }
    for (front, back, needed) in PAIRS {
        for theme in [0, 1] {
            let found = contrast(tokens[front][theme], tokens[back][theme]);
            assert!(found >= *needed, "{front} on {back}: {found:.2} of {needed} in theme {theme}");
        }
    }
}
