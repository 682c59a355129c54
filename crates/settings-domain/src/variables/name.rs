//! Names of variables: identifiers that a script can write and that take nothing else's place.
use serde::{Deserialize, Serialize};
use std::{error, fmt, str::FromStr};

/// The name of a variable: `^[A-Za-z_][A-Za-z0-9_]{0,255}$` and not [reserved](RESERVED_VARIABLE_NAMES).
///
/// ASCII only: no two names look alike, and none changes under Unicode normalization. No `$`, which is legal in
/// JavaScript but starts an interpolation in most languages a script may be pasted from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VariableName(String);

/// A text is no name for a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableNameError {
    /// It does not have the form.
    Malformed,
    /// It has the form, but the language or the runner uses it.
    Reserved,
}

impl VariableNameError {
    /// Stable slug; a released one is never reused.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "variable-name-malformed",
            Self::Reserved => "variable-name-reserved",
        }
    }
}

impl fmt::Display for VariableNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "must be 1 to 256 letters, digits and underscores, not starting with a digit",
            Self::Reserved => "is a word of JavaScript or of the script runner",
        })
    }
}
impl error::Error for VariableNameError {}

/// Longest name.
const MAX: usize = 256;

impl VariableName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VariableName {
    type Err = VariableNameError;
    fn from_str(s: &str) -> Result<Self, VariableNameError> {
        check(s)?;
        Ok(Self(s.to_owned()))
    }
}
impl TryFrom<String> for VariableName {
    type Error = VariableNameError;
    fn try_from(s: String) -> Result<Self, VariableNameError> {
        check(&s)?;
        Ok(Self(s))
    }
}
impl From<VariableName> for String {
    fn from(name: VariableName) -> Self {
        name.0
    }
}
impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(s: &str) -> Result<(), VariableNameError> {
    let mut bytes = s.bytes();
    let formed = s.len() <= MAX
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !formed {
        Err(VariableNameError::Malformed)
    } else if RESERVED_VARIABLE_NAMES.iter().any(|group| group.contains(&s)) {
        Err(VariableNameError::Reserved)
    } else {
        Ok(())
    }
}

/// Names no variable can have, by reason. Case counts: `IF` and `Url` are names like any other.
///
/// A variable is a property of the global object that every script of the context sees. One that is called like a word
/// of the language could not be written in a script; one that is called like something global would take its place.
/// What the tables do not know, because the runner or the engine is newer, the prelude refuses when it runs.
pub const RESERVED_VARIABLE_NAMES: &[&[&str]] =
    &[KEYWORDS, STRICT_AND_CONTEXTUAL, GLOBAL_CONSTANTS_AND_FUNCTIONS, GLOBAL_OBJECTS, INHERITED, RUNNER, HOST];

/// ECMAScript 2025, 12.7.2 Keywords and Reserved Words.
const KEYWORDS: &[&str] = &[
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "import",
    "in",
    "instanceof",
    "new",
    "null",
    "return",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// Reserved in strict code (12.7.2, Note 2, and 13.1.1), and words that read as syntax where a name stands alone.
const STRICT_AND_CONTEXTUAL: &[&str] = &[
    "arguments",
    "async",
    "eval",
    "implements",
    "interface",
    "let",
    "of",
    "package",
    "private",
    "protected",
    "public",
    "static",
];

/// 19.1 to 19.2 and Annex B.2.1.
const GLOBAL_CONSTANTS_AND_FUNCTIONS: &[&str] = &[
    "Infinity",
    "NaN",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "globalThis",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
    "unescape",
];

/// 19.3 and 19.4, Intl, WebAssembly, and what the coming editions add.
const GLOBAL_OBJECTS: &[&str] = &[
    "AggregateError",
    "Array",
    "ArrayBuffer",
    "AsyncDisposableStack",
    "Atomics",
    "BigInt",
    "BigInt64Array",
    "BigUint64Array",
    "Boolean",
    "DataView",
    "Date",
    "DisposableStack",
    "Error",
    "EvalError",
    "FinalizationRegistry",
    "Float16Array",
    "Float32Array",
    "Float64Array",
    "Function",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Intl",
    "Iterator",
    "JSON",
    "Map",
    "Math",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "ShadowRealm",
    "SharedArrayBuffer",
    "String",
    "SuppressedError",
    "Symbol",
    "SyntaxError",
    "Temporal",
    "TypeError",
    "URIError",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakMap",
    "WeakRef",
    "WeakSet",
    "WebAssembly",
];

/// What every object has, the global one included, and where classes keep it.
const INHERITED: &[&str] = &[
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "prototype",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// What the script runner defines (seed B, Using Variables in Scripts, Using Models in Workflows).
const RUNNER: &[&str] = &["__variablesByName__", "__variables__", "entityModel", "executePromptWithModel", "print"];

/// What hosts of V8 commonly define.
const HOST: &[&str] = &[
    "AbortController",
    "AbortSignal",
    "Blob",
    "Buffer",
    "Deno",
    "DOMException",
    "Event",
    "EventTarget",
    "File",
    "FormData",
    "Headers",
    "ReadableStream",
    "Request",
    "Response",
    "TextDecoder",
    "TextEncoder",
    "URL",
    "URLSearchParams",
    "WritableStream",
    "atob",
    "btoa",
    "clearInterval",
    "clearTimeout",
    "console",
    "crypto",
    "exports",
    "fetch",
    "global",
    "module",
    "performance",
    "process",
    "queueMicrotask",
    "require",
    "self",
    "setInterval",
    "setTimeout",
    "structuredClone",
    "window",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(s: &str) -> Result<(), VariableNameError> {
        s.parse::<VariableName>().map(|name| assert_eq!(name.as_str(), s))
    }

    #[test]
    fn identifiers_of_ascii_letters_digits_and_underscores_are_names() {
        for ok in ["OPENAI_API_KEY", "a", "_", "A1", "__x__", "IF", "Await", "get", "Url", &"A".repeat(256)] {
            assert_eq!(outcome(ok), Ok(()), "{ok}");
        }
    }

    #[test]
    fn every_other_form_is_refused() {
        for bad in [
            "",
            "A-B",
            "1A",
            "A B",
            " A",
            "A ",
            "A\n",
            "A\0",
            "ａ",
            "café",
            "A\u{301}",
            "A$",
            "$",
            "A.B",
            "A[0]",
            "\\u0041",
            "A\u{200c}",
            "A\u{2028}",
            "A\";print(1)//",
            &"A".repeat(257),
        ] {
            assert_eq!(outcome(bad), Err(VariableNameError::Malformed), "{bad}");
        }
    }

    #[test]
    fn words_of_the_language_and_the_runner_are_refused() {
        for bad in [
            // the catalogue's rows VA02 and VA03
            "if class await undefined eval arguments let yield NaN",
            "__proto__ constructor prototype toString hasOwnProperty __variables__ __variablesByName__ entityModel",
            "print globalThis Infinity null true JSON console executePromptWithModel",
        ]
        .into_iter()
        .flat_map(|line| line.split(' '))
        {
            assert_eq!(outcome(bad), Err(VariableNameError::Reserved), "{bad}");
        }
    }

    #[test]
    fn the_tables_hold_only_words_that_would_otherwise_be_names_and_each_once() {
        let mut all: Vec<_> = RESERVED_VARIABLE_NAMES.iter().copied().flatten().collect();
        for word in &all {
            assert_eq!(outcome(word), Err(VariableNameError::Reserved), "{word}");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
