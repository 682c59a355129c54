//! Icons: our own strokes on a grid of 24. The only place where markup is written by hand.
use maud::{Markup, PreEscaped, html};

macro_rules! icons {
    ($($name:ident = $path:literal;)*) => {
        /// An icon. Always beside a word or a label: it is hidden from screen readers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Icon { $($name),* }
        impl Icon {
            const fn shape(self) -> &'static str { match self { $(Self::$name => concat!("<path d=\"", $path, "\"/>")),* } }
        }
    };
}

icons! {
    Building = "M4 20V6l8-3 8 3v14M2.5 20h19M9 20v-4h6v4M8.5 9h.01M12 9h.01M15.5 9h.01M8.5 12.5h.01M12 12.5h.01M15.5 12.5h.01";
    Layers = "M12 3 3 8l9 5 9-5-9-5ZM3 12.5l9 5 9-5M3 17l9 5 9-5";
    Users = "M15.5 20v-1.5a4 4 0 0 0-4-4h-5a4 4 0 0 0-4 4V20M9 11a3.75 3.75 0 1 0 0-7.5A3.75 3.75 0 0 0 9 11M21.5 20v-1.5a4 4 0 0 0-3-3.87M15.5 3.63a3.75 3.75 0 0 1 0 7.24";
    Shield = "M12 21.5c4.5-1.6 8-4.6 8-10V5.5L12 2.5l-8 3v6c0 5.4 3.5 8.4 8 10ZM8.8 11.8l2.3 2.3 4.2-4.4";
    Key = "M14.5 9.5 21 3M17.5 6.5 20 9M8.2 20a4.7 4.7 0 1 0 0-9.4 4.7 4.7 0 0 0 0 9.4M11.6 12.4l3-3";
    Lock = "M6 10.5h12a1.5 1.5 0 0 1 1.5 1.5v7a1.5 1.5 0 0 1-1.5 1.5H6A1.5 1.5 0 0 1 4.5 19v-7A1.5 1.5 0 0 1 6 10.5ZM8 10.5V7a4 4 0 0 1 8 0v3.5";
    Braces = "M8.5 3.5c-2 0-3 1-3 3v2.6c0 1.6-.9 2.9-2.5 2.9 1.6 0 2.5 1.3 2.5 2.9v2.6c0 2 1 3 3 3M15.5 3.5c2 0 3 1 3 3v2.6c0 1.6.9 2.9 2.5 2.9-1.6 0-2.5 1.3-2.5 2.9v2.6c0 2-1 3-3 3";
    Cpu = "M6.5 6.5h11v11h-11zM10 10h4v4h-4zM9.5 2.5v4M14.5 2.5v4M9.5 17.5v4M14.5 17.5v4M2.5 9.5h4M2.5 14.5h4M17.5 9.5h4M17.5 14.5h4";
    Globe = "M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19ZM2.5 12h19M12 2.5c2.6 2.7 3.9 5.9 3.9 9.5s-1.3 6.8-3.9 9.5c-2.6-2.7-3.9-5.9-3.9-9.5s1.3-6.8 3.9-9.5Z";
    Clock = "M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19ZM12 6.5V12l3.5 2";
    Import = "M12 3.5v11M7.5 10.5l4.5 4.5 4.5-4.5M4 16.5V19a1.5 1.5 0 0 0 1.5 1.5h13A1.5 1.5 0 0 0 20 19v-2.5";
    Bell = "M6 9.5a6 6 0 0 1 12 0c0 5.5 2.5 7 2.5 7h-17S6 15 6 9.5M10 20a2.2 2.2 0 0 0 4 0";
    Plug = "M9 2.5v5M15 2.5v5M6 7.5h12V11a6 6 0 0 1-12 0V7.5ZM12 17v4.5";
    Hash = "M9.5 3.5l-2 17M16.5 3.5l-2 17M4 8.5h17M3 15.5h17";
    Webhook = "M12 10.5 8.5 17M12 10.5a3.5 3.5 0 1 0-3-1.7M8.5 17a3.3 3.3 0 1 1-3-4.3M8.5 17H16M16 17a3.3 3.3 0 1 0 .6-2.8M12 10.5l3.6 3.7";
    Mail = "M3.5 5.5h17v13h-17zM4 6.5l8 6.5 8-6.5";
    Log = "M7 3.5h10.5A1.5 1.5 0 0 1 19 5v14a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V5.5a2 2 0 0 1 2-2ZM9 8.5h6M9 12.5h6M9 16.5h3.5";
    Search = "M10.8 17.6a6.8 6.8 0 1 0 0-13.6 6.8 6.8 0 0 0 0 13.6ZM20.5 20.5l-4.9-4.9";
    Plus = "M12 5v14M5 12h14";
    Close = "M6 6l12 12M18 6 6 18";
    Check = "M4.5 12.5l5 5 10-11";
    Dots = "M5.5 12h.01M12 12h.01M18.5 12h.01";
    Menu = "M4 7h16M4 12h16M4 17h16";
    Warn = "M12 9.5v4M12 17h.01M10.3 4 2.7 17.3A2 2 0 0 0 4.4 20.3h15.2a2 2 0 0 0 1.7-3L13.7 4a2 2 0 0 0-3.4 0Z";
    Info = "M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19ZM12 11v5.5M12 7.5h.01";
    Copy = "M9 9h10.5v10.5H9zM5.5 15H4.5V4.5H15v1";
    Send = "M21 3 10.5 13.5M21 3l-6.5 18-4-7.5L3 9.5 21 3Z";
    Sun = "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM12 2v2M12 20v2M4.9 4.9l1.4 1.4M17.7 17.7l1.4 1.4M2 12h2M20 12h2M4.9 19.1l1.4-1.4M17.7 6.3l1.4-1.4";
    Switch = "M8 10l4-4 4 4M8 14l4 4 4-4";
    Back = "M14.5 6l-6 6 6 6";
    Out = "M9.5 20.5h-4a1.5 1.5 0 0 1-1.5-1.5V5a1.5 1.5 0 0 1 1.5-1.5h4M15.5 16.5 20 12l-4.5-4.5M20 12H9.5";
    Screen = "M3.5 4.5h17v11.5h-17zM8.5 20h7M12 16v4";
    Compass = "M12 21.5a9.5 9.5 0 1 0 0-19 9.5 9.5 0 0 0 0 19ZM15.8 8.2l-2 5.6-5.6 2 2-5.6 5.6-2Z";
    Cloud = "M7 18.5a4.5 4.5 0 0 1-.5-8.97A6 6 0 0 1 18 10.5a4 4 0 0 1-.5 8H7ZM4 3.5l16 17";
}

/// Draws it; strokes and size are the style sheet's.
pub(crate) fn icon(icon: Icon) -> Markup {
    html! { svg.i.dots[icon == Icon::Dots] viewBox="0 0 24 24" aria-hidden="true" { (PreEscaped(icon.shape())) } }
}
