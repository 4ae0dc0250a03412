//! Strict JSON (FORMAT.md, section 1): no duplicate members at any depth, no fractions, no large integers, no deep nesting.
//!
//! Documents are parsed twice, once for these rules and once into the type; they are small. Not for event lines,
//! whose grammar is in `cast`.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::limits;

/// Parses one document after checking the rules. `Err` is a sentence without a subject.
///
/// A line feed at the end must have been taken off; one inside, or a carriage return, is an error (JSON-2).
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    check(bytes)?;
    serde_json::from_slice(bytes).map_err(|e| e.to_string())
}

/// Checks the rules only.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    if memchr::memchr2(b'\n', b'\r', bytes).is_some() {
        return Err("a line break inside a document".into());
    }
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict { depth: 0 }.deserialize(&mut deserializer).map_err(|e| e.to_string())?;
    deserializer.end().map_err(|e| e.to_string())
}

/// Names of the members of the outermost object, in order.
pub fn members(bytes: &[u8]) -> Result<Vec<String>, String> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some((name, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    serde_json::Deserializer::from_slice(bytes).deserialize_map(Names).map_err(|e| e.to_string())
}

/// At so many arrays and objects around it.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == limits::JSON_DEPTH {
            return Err(E::custom("arrays and objects nested too deep"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicates, fractions or large integers")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<(), E> {
        if n > limits::JSON_INTEGER {
            return Err(E::custom("an integer over 2^53 - 1"));
        }
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        Err(E::custom("a negative number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom("a number with a fraction or exponent, or out of range"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while seq.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("duplicate member {name:?}")));
            }
            map.next_value_seed(inside)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn json_3_duplicates_fractions_and_large_integers_are_errors() {
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"x":[{"b":1,"b":1}]}"#,
            r#"{"a":1,"\u0061":2}"#,
            "1.0",
            "1e3",
            "-1",
            "-0",
            "9007199254740992",
            "18446744073709551616",
            "{} {}",
            "\u{feff}{}",
            "{\n}",
            "{\r}",
            "\"\\ud800\"",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
        for good in ["9007199254740991", r#"{"a":{"a":[null,true,"é"]}}"#] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good}");
        }
    }

    #[test]
    fn json_7_what_nests_more_than_32_deep_is_an_error() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(check(nested(32).as_bytes()), Ok(()));
            for depth in [33, 200, 100_000] {
                assert!(check(nested(depth).as_bytes()).is_err(), "{depth} times {open}");
            }
        }
    }
}
