//! What a key may hold.

use super::lock::Lock;
use super::queue::Queue;
use super::register::Register;
use super::set::Set;
use crate::codec::{Decode, DecodeError, Encode, Reader, put_signed};

/// A counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counter {
    count: i64,
}

impl Counter {
    pub(super) fn count(&self) -> i64 {
        self.count
    }

    /// The count after it.
    pub(super) fn add(&mut self, amount: i64) -> i64 {
        self.count = self.count.wrapping_add(amount);
        self.count
    }
}

impl Encode for Counter {
    fn encode(&self, out: &mut Vec<u8>) {
        put_signed(out, self.count);
    }
}

impl Decode for Counter {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.signed("a count").map(|count| Counter { count })
    }
}

/// A type of object that a key may hold. One that holds what it begins with need not be stored.
pub(super) trait Typed: Default + PartialEq {
    /// The object as one of this type, if it is.
    fn of(object: &Object) -> Result<&Self, Kind>;
    /// The object as one of this type, if it is.
    fn of_mut(object: &mut Object) -> Result<&mut Self, Kind>;
    /// As an object of any type.
    fn into_object(self) -> Object;
}

/// One line a type: all that has to be said of each.
macro_rules! objects {
    ($($kind:ident = $tag:literal, $name:literal;)*) => {
        /// The type of an object.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = concat!("A ", $name, ".")] $kind,)*
        }

        impl Kind {
            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }

            pub(super) fn tag(self) -> u8 {
                match self {
                    $(Kind::$kind => $tag,)*
                }
            }

            pub(super) fn of_tag(tag: u8) -> Result<Kind, DecodeError> {
                match tag {
                    $($tag => Ok(Kind::$kind),)*
                    tag => Err(DecodeError::UnknownTag { what: "an object", tag }),
                }
            }
        }

        /// What a key holds.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(super) enum Object {
            $($kind($kind),)*
        }

        impl Object {
            fn kind(&self) -> Kind {
                match self {
                    $(Object::$kind(_) => Kind::$kind,)*
                }
            }
        }

        impl Encode for Object {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(self.kind().tag());
                match self {
                    $(Object::$kind(object) => object.encode(out),)*
                }
            }
        }

        impl Decode for Object {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(match Kind::of_tag(input.byte("an object")?)? {
                    $(Kind::$kind => Object::$kind($kind::decode(input)?),)*
                })
            }
        }

        $(impl Typed for $kind {
            fn of(object: &Object) -> Result<&Self, Kind> {
                match object {
                    Object::$kind(object) => Ok(object),
                    other => Err(other.kind()),
                }
            }

            fn of_mut(object: &mut Object) -> Result<&mut Self, Kind> {
                match object {
                    Object::$kind(object) => Ok(object),
                    other => Err(other.kind()),
                }
            }

            fn into_object(self) -> Object {
                Object::$kind(self)
            }
        })*
    };
}

objects! {
    Register = 0, "register";
    Set = 1, "set";
    Counter = 2, "counter";
    Queue = 3, "queue";
    Lock = 4, "lock";
}
