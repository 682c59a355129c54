//! Strict JSON bodies: one object, no duplicate members, no NUL, every fault reported at once.
//!
//! `serde` derive would accept arrays for structs and stop at the first fault; `serde_json::Value` keeps the last of two
//! equal members without a word. Both have let attackers say two things at once elsewhere, so bodies are read here.
use crate::problem::{Fault, Problem};
use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use settings_domain::sealed::SecretValue;
use std::{fmt, ops::RangeInclusive, str::FromStr};

/// A JSON value without duplicate members at any depth.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Tree;
        impl<'de> Visitor<'de> for Tree {
            type Value = Strict;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_bool<E>(self, v: bool) -> Result<Strict, E> {
                Ok(Strict(Value::Bool(v)))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Strict, E> {
                Ok(Strict(Value::Number(v.into())))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Strict, E> {
                Ok(Strict(Value::Number(v.into())))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Strict, E> {
                Ok(Strict(Number::from_f64(v).map_or(Value::Null, Value::Number)))
            }
            fn visit_str<E>(self, v: &str) -> Result<Strict, E> {
                Ok(Strict(Value::String(v.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                let mut list = Vec::new();
                while let Some(Strict(v)) = seq.next_element()? {
                    list.push(v);
                }
                Ok(Strict(Value::Array(list)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut object = Map::new();
                while let Some((name, Strict(v))) = map.next_entry::<String, Strict>()? {
                    if object.insert(name, v).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Strict(Value::Object(object)))
            }
        }
        d.deserialize_any(Tree)
    }
}

/// Parses a body that must be one JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice::<Strict>(body) {
        Ok(Strict(Value::Object(map))) => Ok(map),
        Ok(_) => Err(Problem::field("", "must be a JSON object")),
        // The parser's words name positions only, but they are not ours: say the one thing that helps.
        Err(e) => Err(Problem::new(
            "malformed-request",
            format!("The body is not well-formed JSON: see line {}, column {}.", e.line(), e.column()),
        )),
    }
}

/// A body that can be read from the members of an object.
pub(crate) trait Body: Sized {
    /// Whether there may be no body at all.
    const OPTIONAL: bool = false;
    /// Reads the members it knows. `None` only when a fault was noted.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// No members at all.
impl Body for () {
    const OPTIONAL: bool = true;
    fn read(_: &mut Fields) -> Option<Self> {
        Some(())
    }
}

/// Reads a whole body: unknown members are faults, and every fault is reported.
pub(crate) fn read<T: Body>(map: Map<String, Value>) -> Result<T, Problem> {
    let mut fields = Fields { map, at: String::new(), faults: Vec::new() };
    let value = T::read(&mut fields);
    fields.unknown();
    match value {
        Some(value) if fields.faults.is_empty() => Ok(value),
        _ => Err(Problem::invalid(fields.faults)),
    }
}

/// The members of an object that were not read yet, and the faults found so far.
pub(crate) struct Fields {
    map: Map<String, Value>,
    at: String,
    faults: Vec<Fault>,
}

impl fmt::Debug for Fields {
    /// Without the members: one of them may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl Fields {
    fn fault(&mut self, name: &str, detail: impl Into<String>) {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        self.faults.push(Fault { pointer: format!("{}/{escaped}", self.at), detail: detail.into() });
    }
    fn unknown(&mut self) {
        for (name, _) in std::mem::take(&mut self.map) {
            // Echoed names are bounded; the value is never echoed.
            let shown: String = name.chars().take(64).collect();
            self.fault(&shown, "is not a member of this body");
        }
    }
    /// A required text, parsed.
    pub(crate) fn required<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        if self.map.contains_key(name) {
            self.optional(name)
        } else {
            self.fault(name, "is required");
            None
        }
    }
    /// A text that may be absent, parsed; null is a fault.
    pub(crate) fn optional<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        if let Value::String(s) = self.map.remove(name)? {
            self.parse(name, &s)
        } else {
            self.fault(name, "must be a string");
            None
        }
    }
    /// A text that may be absent or null.
    pub(crate) fn nullable<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<T> {
        if self.map.get(name).is_some_and(Value::is_null) {
            self.map.remove(name);
            return None;
        }
        self.optional(name)
    }
    /// A text that may be absent; null stands for "take it away".
    #[expect(clippy::option_option, reason = "absent, taken away and set are three things")]
    pub(crate) fn erasable<T: FromStr<Err: fmt::Display>>(&mut self, name: &str) -> Option<Option<T>> {
        if self.map.get(name).is_some_and(Value::is_null) {
            self.map.remove(name);
            return Some(None);
        }
        self.optional(name).map(Some)
    }
    /// A value to be kept that may be absent. From here on it is a type that nothing prints or serialises.
    pub(crate) fn secret(&mut self, name: &str) -> Option<SecretValue> {
        let text = self.secret_text(name)?;
        SecretValue::new(text).map_err(|e| self.fault(name, e.to_string())).ok()
    }
    /// A value to be kept.
    pub(crate) fn required_secret(&mut self, name: &str) -> Option<SecretValue> {
        self.present(name)?;
        self.secret(name)
    }
    /// A text that holds values, such as a file of them.
    pub(crate) fn required_secret_text(&mut self, name: &str) -> Option<SecretString> {
        self.present(name)?;
        self.secret_text(name)
    }
    fn secret_text(&mut self, name: &str) -> Option<SecretString> {
        if let Value::String(s) = self.map.remove(name)? {
            Some(SecretString::from(s))
        } else {
            self.fault(name, "must be a string");
            None
        }
    }
    fn present(&mut self, name: &str) -> Option<()> {
        if self.map.contains_key(name) {
            Some(())
        } else {
            self.fault(name, "is required");
            None
        }
    }
    /// True or false, or absent.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        if let Value::Bool(b) = self.map.remove(name)? {
            Some(b)
        } else {
            self.fault(name, "must be true or false");
            None
        }
    }
    /// True or false.
    pub(crate) fn required_boolean(&mut self, name: &str) -> Option<bool> {
        self.present(name)?;
        self.boolean(name)
    }
    /// An object that may be absent.
    pub(crate) fn optional_object<T: Body>(&mut self, name: &str) -> Option<T> {
        let value = self.map.remove(name)?;
        self.entry_object(name, value)
    }
    /// An object.
    pub(crate) fn required_object<T: Body>(&mut self, name: &str) -> Option<T> {
        self.present(name)?;
        self.optional_object(name)
    }
    /// Whether a member is there and was not read yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }
    /// A member as it is, that may be absent.
    pub(crate) fn raw(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name)
    }
    /// The members that were not read yet and whose names pass.
    pub(crate) fn others(&mut self, passes: impl Fn(&str) -> bool) -> Vec<(String, Value)> {
        let names: Vec<String> = self.map.keys().filter(|name| passes(name)).cloned().collect();
        names.into_iter().filter_map(|name| self.map.remove_entry(&name)).collect()
    }
    /// How many faults were found so far.
    pub(crate) const fn fault_count(&self) -> usize {
        self.faults.len()
    }
    fn parse<T: FromStr<Err: fmt::Display>>(&mut self, name: &str, s: &str) -> Option<T> {
        if s.contains('\0') {
            self.fault(name, "must not contain the NUL character");
            return None;
        }
        match s.parse() {
            Ok(v) => Some(v),
            Err(e) => {
                self.fault(name, e.to_string());
                None
            }
        }
    }
    /// A whole number within bounds that may be absent. `3.0` is 3, as JSON Schema has it.
    pub(crate) fn integer(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.map.remove(name)?;
        let number = value.as_i64().or_else(|| value.as_f64().and_then(whole));
        match number {
            Some(n) if range.contains(&n) => Some(n),
            Some(_) => {
                self.fault(name, format!("must be from {} to {}", range.start(), range.end()));
                None
            }
            None => {
                self.fault(name, "must be a whole number");
                None
            }
        }
    }
    /// A required list; each entry is read by `entry`.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        most: usize,
        mut entry: impl FnMut(&mut Self, String, Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(value) = self.map.remove(name) else {
            self.fault(name, "is required");
            return None;
        };
        let Value::Array(values) = value else {
            self.fault(name, "must be an array");
            return None;
        };
        if values.len() > most {
            self.fault(name, format!("must have at most {most} entries"));
            return None;
        }
        let before = self.faults.len();
        let list = values.into_iter().enumerate().filter_map(|(i, v)| entry(self, format!("{name}/{i}"), v)).collect();
        (self.faults.len() == before).then_some(list)
    }
    /// One entry of a list that is a text.
    pub(crate) fn entry_text<T: FromStr<Err: fmt::Display>>(&mut self, path: &str, value: &Value) -> Option<T> {
        let Some(s) = value.as_str() else {
            self.fault_at(path, "must be a string");
            return None;
        };
        if s.contains('\0') {
            self.fault_at(path, "must not contain the NUL character");
            return None;
        }
        s.parse().map_err(|e: T::Err| self.fault_at(path, &e.to_string())).ok()
    }
    /// One entry of a list that is an object.
    pub(crate) fn entry_object<T: Body>(&mut self, path: &str, value: Value) -> Option<T> {
        let Value::Object(map) = value else {
            self.fault_at(path, "must be an object");
            return None;
        };
        let mut inner = Self { map, at: format!("{}/{path}", self.at), faults: Vec::new() };
        let read = T::read(&mut inner);
        inner.unknown();
        let clean = inner.faults.is_empty();
        self.faults.append(&mut inner.faults);
        read.filter(|_| clean)
    }
    /// A fault of a member by its path below this object.
    pub(crate) fn fault_at(&mut self, path: &str, detail: &str) {
        self.faults.push(Fault { pointer: format!("{}/{path}", self.at), detail: detail.to_owned() });
    }
}

/// The whole number that a JSON number with a fraction or exponent stands for, where it is exact.
fn whole(f: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, so exact")]
    (f.fract() == 0.0 && f.abs() <= EXACT).then_some(f as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(body: &str) -> &'static str {
        object(body.as_bytes()).map_or_else(|p| p.slug(), |_| "ok")
    }

    #[test]
    fn only_one_clean_object_is_a_body() {
        assert_eq!(slug(r#"{"a":1}"#), "ok");
        for bad in [
            "",
            "{",
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"a":"\ud800"}"#,
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "{\"a\":NaN}",
            "{\"a\":1e999}",
            "// c\n{}",
        ] {
            assert_eq!(slug(bad), "malformed-request", "{bad}");
        }
        for bad in [r#"["a",3]"#, "3", "null", "\"a\""] {
            assert_eq!(slug(bad), "validation-failed", "{bad}");
        }
        assert_eq!(slug(&"[".repeat(200)), "malformed-request");
        assert_eq!(object(b"{\"a\":\"\xff\"}").map_or_else(|p| p.slug(), |_| "ok"), "malformed-request");
    }

    struct Two;
    impl Body for Two {
        fn read(f: &mut Fields) -> Option<Self> {
            let (name, n) = (f.required::<settings_domain::text::DisplayName>("name"), f.integer("n", 1..=9));
            name.zip(n).map(|_| Self)
        }
    }

    #[test]
    fn every_fault_is_reported_with_its_pointer() {
        let map = object(br#"{"name":"a\u0000b","n":10,"rol\u0435":1,"__proto__":{}}"#).expect("an object");
        let Err(problem) = read::<Two>(map) else { panic!("accepted") };
        let text = format!("{problem:?}");
        for pointer in ["/name", "/n", "/rolе", "/__proto__"] {
            assert!(text.contains(&format!("\"{pointer}\"")), "{pointer} in {text}");
        }
    }

    #[test]
    fn whole_numbers_are_exact() {
        for (text, want) in [
            ("9007199254740993", None),
            ("3.0", Some(3)),
            ("1e0", Some(1)),
            ("1.5", None),
            ("-0", None),
            ("\"3\"", None),
        ] {
            let map = object(format!("{{\"name\":\"a\",\"n\":{text}}}").as_bytes()).expect("an object");
            let mut f = Fields { map, at: String::new(), faults: vec![] };
            assert_eq!(f.integer("n", 1..=9), want, "{text}");
        }
    }
}
