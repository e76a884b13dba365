//! Values as numbers.
//!
//! ```text
//! 0        null
//! 1        the same as the operation's input
//! 2        a pair of integers: two differences follow, as below
//! 3        another value: how far its place in the list of texts is before the list's end; 0 adds it to the end
//! 4 + d    an integer: its difference to the last one on the same key, zigzag
//! ```

use partita_history::Value;
use rustc_hash::FxHashMap;

use crate::words;

/// Larger integers are texts: differences of differences of them would be no exact numbers to a browser.
const INT_MAX: i64 = 1 << 50;

/// In a byte of a number: more follow.
pub(super) const MORE: u8 = 0x80;

const NULL: u64 = 0;
const SAME: u64 = 1;
const PAIR: u64 = 2;
const TEXT: u64 = 3;
const INT: u64 = 4;

/// Writes a number: seven bits a byte, the lowest first, and the highest bit says that more follow.
pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= MORE.into() {
        out.push(number as u8 | MORE);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Small numbers of either sign as small numbers.
pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// Values that are not told as numbers, each once.
pub(super) struct Texts {
    chars_max: usize,
    places: FxHashMap<Value, u64>,
    pub(super) list: Vec<String>,
    /// Whether any was cut.
    pub(super) clipped: bool,
}

impl Texts {
    pub(super) fn new(chars_max: usize) -> Self {
        Texts {
            chars_max,
            places: FxHashMap::default(),
            list: Vec::new(),
            clipped: false,
        }
    }

    /// How far before the end the value's place is; 0 if it was just added there.
    fn distance(&mut self, value: &Value) -> u64 {
        let end = self.list.len() as u64;
        if let Some(place) = self.places.get(value) {
            return end - place;
        }
        let whole = value.to_string();
        let text = words::clip(&whole, self.chars_max);
        self.clipped |= text.len() < whole.len();
        self.list.push(text);
        self.places.insert(value.clone(), end);
        0
    }
}

/// Writes a value. `last` is the last integer on the same key.
pub(super) fn value(
    out: &mut Vec<u8>,
    value: &Value,
    input: Option<&Value>,
    last: &mut i64,
    texts: &mut Texts,
) {
    let small = |value: &Value| match value {
        Value::Int(int) if (-INT_MAX..=INT_MAX).contains(int) => Some(*int),
        _ => None,
    };
    let mut step = |int: i64| {
        let difference = zigzag(int - *last);
        *last = int;
        difference
    };
    let pair = value
        .as_pair()
        .and_then(|(first, second)| Some((small(first)?, small(second)?)));
    if value.is_null() {
        number(out, NULL);
    } else if input == Some(value) {
        number(out, SAME);
    } else if let Some(int) = small(value) {
        number(out, INT + step(int));
    } else if let Some((first, second)) = pair {
        number(out, PAIR);
        let (first, second) = (step(first), step(second));
        number(out, first);
        number(out, second);
    } else {
        number(out, TEXT);
        let distance = texts.distance(value);
        number(out, distance);
    }
}
