//! Values, each stored once and known by a number.

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use std::hash::Hasher;

use crate::Value;

/// The number of [`Value::Null`] in every table.
pub(super) const NULL: u32 = 0;

/// Never the number of a value.
pub(super) const ABSENT: u32 = u32::MAX;

static NULL_VALUE: Value = Value::Null;

/// The number of a value, by the hash of that. Values are not looked at again when the table grows, for which the hash
/// is kept.
#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    number: u32,
}

impl Entry {
    /// The hash as hashbrown wants it, which looks at both ends.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) | u64::from(hash) << 32
    }
}

/// All values that occur, each once.
#[derive(Clone, Default)]
pub(super) struct Table {
    /// Those but null, which has no place: the value of number n is at n - 1.
    values: Vec<Value>,
    numbers: HashTable<Entry>,
}

impl Table {
    /// The number of a value, which is cloned if it is new. None if there are too many.
    pub(super) fn number(&mut self, value: &Value) -> Option<u32> {
        match value {
            Value::Null => Some(NULL),
            Value::Int(int) => self.number_of_int(*int),
            Value::Str(text) => self.number_of_text(text),
            Value::List(_) => self.find_or_insert(hash(value), |other| other == value, || value.clone()),
        }
    }

    fn number_of_int(&mut self, int: i64) -> Option<u32> {
        let is_it = |other: &Value| matches!(other, Value::Int(other) if *other == int);
        self.find_or_insert(hash_of_int(int), is_it, || Value::Int(int))
    }

    /// As [`Table::number`], of a string.
    pub(super) fn number_of_text(&mut self, text: &str) -> Option<u32> {
        self.find_or_insert(
            hash_of_text(text),
            |other| matches!(other, Value::Str(other) if other == text),
            || Value::Str(text.to_owned()),
        )
    }

    fn find_or_insert(
        &mut self,
        hash_of_it: u64,
        is_it: impl Fn(&Value) -> bool,
        make: impl FnOnce() -> Value,
    ) -> Option<u32> {
        let (values, hash) = (&self.values, hash_of_it as u32);
        let found = self.numbers.find(Entry::spread(hash), |entry| {
            entry.hash == hash && is_it(&values[entry.number as usize - 1])
        });
        if let Some(entry) = found {
            return Some(entry.number);
        }
        let number = u32::try_from(values.len() + 1)
            .ok()
            .filter(|&number| number != ABSENT)?;
        let entry = Entry { hash, number };
        self.numbers
            .insert_unique(Entry::spread(hash), entry, |entry| Entry::spread(entry.hash));
        self.values.push(make());
        Some(number)
    }

    /// The value of that number.
    pub(super) fn get(&self, number: u32) -> &Value {
        match number {
            NULL => &NULL_VALUE,
            number => &self.values[number as usize - 1],
        }
    }

    /// The value of that number, unless it is [`ABSENT`].
    pub(super) fn get_if_present(&self, number: u32) -> Option<&Value> {
        (number != ABSENT).then(|| self.get(number))
    }

    /// The string of that number; empty for other values.
    pub(super) fn text(&self, number: u32) -> &str {
        match self.get(number) {
            Value::Str(text) => text,
            _ => "",
        }
    }
}

fn hash_of_text(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hash_text_into(text, &mut hasher);
    hasher.finish()
}

fn hash_of_int(int: i64) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_i64(int);
    hasher.finish()
}

fn hash(value: &Value) -> u64 {
    let mut hasher = FxHasher::default();
    hash_into(value, &mut hasher);
    hasher.finish()
}

fn hash_text_into(text: &str, hasher: &mut FxHasher) {
    hasher.write(text.as_bytes());
}

/// Kinds are not told apart: a string of the same hash as an integer is rare.
fn hash_into(value: &Value, hasher: &mut FxHasher) {
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Int(int) => hasher.write_i64(*int),
        Value::Str(text) => hash_text_into(text, hasher),
        Value::List(items) => {
            hasher.write_usize(items.len());
            items.iter().for_each(|item| hash_into(item, hasher));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_number_and_others_another() {
        let mut table = Table::default();
        let mut values = vec![Value::Null, "".into(), "0".into(), Value::List(vec![])];
        values.extend((-500..500).map(Value::Int));
        values.extend((0..500).map(|i| Value::Str(i.to_string())));
        values.extend((0..500).map(|i| Value::pair(i.into(), Value::Null)));
        values.push(Value::List(vec![Value::List(vec![])]));
        let mut distinct = values.clone();
        distinct.sort();
        distinct.dedup();
        let numbers: Vec<u32> = distinct
            .iter()
            .map(|value| table.number(value).unwrap())
            .collect();
        assert_eq!(numbers, (0..distinct.len() as u32).collect::<Vec<_>>());
        for value in &values {
            let number = table.number(value).unwrap();
            assert_eq!(table.get(number), value);
            assert_eq!(table.get_if_present(number), Some(value));
        }
        assert_eq!(table.values.len() + 1, distinct.len());
        let x = table.number_of_text("x").unwrap();
        assert_eq!((table.number(&"x".into()), table.text(x)), (Some(x), "x"));
        assert_eq!((table.text(NULL), table.get_if_present(ABSENT)), ("", None));
    }
}
