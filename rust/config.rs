// SPDX-License-Identifier: GPL-2.0

//! The knobs: one type each, whose values are in range by construction.

use kernel::{
    bindings,
    prelude::*,
    str::BStr, //
};

/// A value the user sets, by writing a file or as a load-time parameter of the same name.
pub(crate) trait Knob: Copy {
    /// Name of the file and of the load-time parameter.
    const NAME: &'static CStr;

    /// Largest value allowed; the smallest is 0.
    const MAX: u32;

    /// Makes a knob of `value`; [`EINVAL`] if that is above [`Self::MAX`].
    fn new(value: u32) -> Result<Self>;

    /// Returns the value.
    fn get(self) -> u32;

    /// As [`Self::new`], for a load-time parameter: says in the log what is wrong with it.
    fn from_parameter(value: u32) -> Result<Self> {
        Self::new(value).inspect_err(|_| {
            pr_err!(
                "{}={value} is out of range, 0 to {}\n",
                Self::NAME,
                Self::MAX
            );
        })
    }

    /// Parses what the user wrote; [`EINVAL`] if it is no decimal number or out of range.
    fn parse(input: &BStr) -> Result<Self> {
        Self::new(parse_decimal(without_newline(input))?.try_into()?)
    }
}

/// Defines a type that implements [`Knob`] for values from 0 to `$max`.
macro_rules! knob {
    ($(#[$doc:meta])* $type:ident, $name:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $type(u32);

        impl Knob for $type {
            const NAME: &'static CStr = $name;
            const MAX: u32 = $max;

            fn new(value: u32) -> Result<Self> {
                (value <= Self::MAX).then_some(Self(value)).ok_or(EINVAL)
            }

            fn get(self) -> u32 {
                self.0
            }
        }
    };
}

knob! {
    /// Whether free pages are zeroed: 0 or 1.
    Enabled, c"enabled", 1
}

knob! {
    /// Order of the smallest free block that is zeroed, 0 to `MAX_PAGE_ORDER`.
    Order, c"mini_order", bindings::MAX_PAGE_ORDER
}

knob! {
    /// Bytes freed since the last wake before the worker is woken, 0 to 4294967294.
    BatchSize, c"batch_size", u32::MAX - 1
}

knob! {
    /// Milliseconds from a wake-up to the pass and between passes, 0 to 4294967294.
    DelayMillisecs, c"delay_millisecs", u32::MAX - 1
}

knob! {
    /// Whether to look at pages that are said to be zero, for debugging: 0 or 1.
    Verify, c"verify", 1
}

/// How much free memory may be zeroed at a time: everything, unless there is a limit in bytes.
#[derive(Clone, Copy)]
pub(crate) struct MaxZeroed(Option<u64>);

impl MaxZeroed {
    /// Name of the file and of the load-time parameter.
    pub(crate) const NAME: &'static CStr = c"max_zeroed";

    /// As a load-time parameter, which is a number, no limit is its largest value.
    pub(crate) fn from_parameter(bytes: u64) -> Self {
        Self((bytes != u64::MAX).then_some(bytes))
    }

    /// Parses bytes, or `max`; [`EINVAL`] if it is neither.
    pub(crate) fn parse(input: &BStr) -> Result<Self> {
        let input = without_newline(input);
        if input == b"max" {
            return Ok(Self(None));
        }
        Ok(Self(Some(parse_decimal(input)?)))
    }

    /// Returns the limit in bytes, if there is one.
    pub(crate) fn bytes(self) -> Option<u64> {
        self.0
    }
}

/// Whether and how to zero free pages.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Whether to zero any.
    pub(crate) enabled: Enabled,
    /// Smallest block to zero.
    pub(crate) order: Order,
    /// How much must be freed before the worker is woken.
    pub(crate) batch_size: BatchSize,
    /// How long the worker waits.
    pub(crate) delay: DelayMillisecs,
    /// How much may be zeroed.
    pub(crate) max_zeroed: MaxZeroed,
}

/// Returns what was written without the newline, at most one, that `echo` adds.
fn without_newline(input: &BStr) -> &[u8] {
    input.strip_suffix(b"\n").unwrap_or(input)
}

/// Parses decimal digits.
///
/// Stricter than `kstrtou64()`, which takes a sign, and than [`kernel::str::parse_int`], which
/// takes other bases: a leading 0 is just a digit.
fn parse_decimal(digits: &[u8]) -> Result<u64> {
    if digits.is_empty() {
        return Err(EINVAL);
    }
    digits
        .iter()
        .try_fold(0u64, |value, &byte| {
            let digit = char::from(byte).to_digit(10)?;
            value.checked_mul(10)?.checked_add(digit.into())
        })
        .ok_or(EINVAL)
}
