//! A buffer for values that are read one after the other.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::Value;

/// A place for a value, which keeps the memory of the values that were there before.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) value: Value,
    text: String,
    items: Vec<Value>,
}

impl Slot {
    /// The place for a value whose JSON begins with this byte.
    pub(super) fn place(&mut self, first: u8) -> &mut Value {
        match std::mem::take(&mut self.value) {
            Value::Str(text) => self.text = text,
            Value::List(items) => self.items = items,
            Value::Null | Value::Int(_) => {}
        }
        match first {
            b'"' => self.value = Value::Str(std::mem::take(&mut self.text)),
            b'[' => self.value = Value::List(std::mem::take(&mut self.items)),
            _ => {}
        }
        &mut self.value
    }
}

/// Puts a value into a slot, or passes over something that can't be a client's value, such as a map; whether it was
/// one.
impl<'de> DeserializeSeed<'de> for &mut Slot {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        self.place(b'n');
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Slot {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_i64<E: de::Error>(self, int: i64) -> Result<bool, E> {
        self.value = Value::Int(int);
        Ok(true)
    }

    fn visit_u64<E: de::Error>(self, int: u64) -> Result<bool, E> {
        Ok(match i64::try_from(int) {
            Ok(int) => self.visit_i64(int)?,
            Err(_) => false,
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
        text.clone_into(&mut self.text);
        self.value = Value::Str(std::mem::take(&mut self.text));
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut items = std::mem::take(&mut self.items);
        let mut slot = Slot::default();
        let (mut len, mut is_value) = (0, true);
        loop {
            // An item takes the place, and the memory, of the one that was there.
            if let Some(place) = items.get_mut(len) {
                slot.value = std::mem::take(place);
            }
            let Some(item_is_value) = seq.next_element_seed(&mut slot)? else {
                break;
            };
            is_value &= item_is_value;
            let item = std::mem::take(&mut slot.value);
            match items.get_mut(len) {
                Some(place) => *place = item,
                None => items.push(item),
            }
            len += 1;
        }
        items.truncate(len);
        self.value = Value::List(items);
        Ok(is_value)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}
