//! How strong a fault is, where somebody says so: values by name. What they mean is for each fault to say.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The value of one setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number.
    Whole(i64),
    /// Any other number; never infinite, and never "not a number".
    Fraction(f64),
    /// A word, or another text.
    Text(String),
}

/// Each equals itself, as "not a number" is none of them.
impl Eq for Value {}

impl Value {
    /// As a number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            // Beyond 2^53 it is rounded; no setting goes that far.
            Value::Whole(number) => Some(*number as f64),
            Value::Fraction(number) => Some(*number),
            Value::Text(_) => None,
        }
    }
}

/// As in TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Whole(number) => write!(f, "{number}"),
            Value::Fraction(number) => write!(f, "{number:?}"),
            Value::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

/// Says what is wrong by itself; of an untagged enum serde says only that nothing fits.
struct AnyValue;

impl Visitor<'_> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Whole).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        if number.is_finite() {
            Ok(Value::Fraction(number))
        } else {
            Err(E::custom(format_args!(
                "{number} is no number to set anything to"
            )))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }
}

/// The settings of a fault, by name. What is not among them is drawn from the fault's seed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A whole number, if it is set to one that fits.
    pub fn whole<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        match self.0.get(name)? {
            Value::Whole(number) => T::try_from(*number).ok(),
            Value::Fraction(_) | Value::Text(_) => None,
        }
    }

    /// A number, if it is set to one.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.number()
    }

    /// A text, if it is set to one.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text),
            Value::Whole(_) | Value::Fraction(_) => None,
        }
    }
}

/// As in TOML.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        f.write_str(&told.join(", "))
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Settings {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(settings: I) -> Self {
        let owned = settings.into_iter().map(|(name, value)| (name.into(), value));
        Settings(owned.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use super::*;

    #[test]
    fn each_kind_of_value_is_had_as_what_it_is_and_as_nothing_else() {
        let settings: Settings = [
            ("percent", Value::Whole(20)),
            ("rate", Value::Fraction(0.5)),
            ("files", Value::Text("*.wal".into())),
        ]
        .into_iter()
        .collect();
        assert_eq!(settings.whole::<u32>("percent"), Some(20));
        assert_eq!(settings.number("percent"), Some(20.0));
        assert_eq!(settings.text("percent"), None);
        assert_eq!(
            (settings.number("rate"), settings.whole::<i64>("rate")),
            (Some(0.5), None)
        );
        assert_eq!(
            (settings.text("files"), settings.number("files")),
            (Some("*.wal"), None)
        );
        assert_eq!(settings.whole::<u32>("by_ms"), None);
        assert_eq!(
            settings.to_string(),
            "files = \"*.wal\", percent = 20, rate = 0.5"
        );
    }

    #[test]
    fn a_negative_number_is_none_without_a_sign() {
        let settings: Settings = [("by_ms", Value::Whole(-1))].into_iter().collect();
        assert_eq!(settings.whole::<u64>("by_ms"), None);
        assert_eq!(settings.whole::<i64>("by_ms"), Some(-1));
    }

    #[test]
    fn what_is_no_number_or_text_is_refused() {
        let read = |value: f64| Value::deserialize(IntoDeserializer::<Error>::into_deserializer(value));
        assert_eq!(read(0.5), Ok(Value::Fraction(0.5)));
        assert!(read(f64::NAN).is_err() && read(f64::INFINITY).is_err());
        let truth = Value::deserialize(IntoDeserializer::<Error>::into_deserializer(true));
        assert!(truth.unwrap_err().to_string().contains("a number or a text"));
    }
}
