// SPDX-License-Identifier: GPL-2.0

//! The knobs and their values, which are in range by construction.
//!
//! To add a knob, add it to `settings!` below and to the `params` of `module!`. Its field of
//! [`Settings`], its file, and reading its load-time parameter are derived; what it does is up to
//! `control.rs`. `CONTRIBUTING.md` lists the documents and tests that name each knob.

use crate::abstractions::sysfs::{
    Attribute,
    File, //
};
use kernel::{
    bindings,
    c_str,
    fmt::{
        self,
        Display, //
    },
    prelude::*,
    static_lock_class,
    str::BStr, //
};

/// The value of a knob, formatted as the file shows it.
pub(crate) trait Value: Copy + Display {
    /// Type of the load-time parameter.
    type Parameter: Copy + Display;

    /// Largest load-time parameter allowed; the smallest is 0.
    const MAX: Self::Parameter;

    /// Converts a load-time parameter; [`EINVAL`] if it is out of range.
    fn new(parameter: Self::Parameter) -> Result<Self>;

    /// Parses what was written to the file, without the newline; [`EINVAL`] if it is malformed or
    /// out of range.
    fn parse(input: &[u8]) -> Result<Self>;
}

/// A number from 0 to `MAX`.
#[derive(Clone, Copy)]
pub(crate) struct Number<const MAX: u32>(u32);

impl<const MAX: u32> Number<MAX> {
    /// Returns the number.
    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

impl<const MAX: u32> Value for Number<MAX> {
    type Parameter = u32;
    const MAX: u32 = MAX;

    fn new(number: u32) -> Result<Self> {
        (number <= MAX).then_some(Self(number)).ok_or(EINVAL)
    }

    fn parse(input: &[u8]) -> Result<Self> {
        Self::new(parse_decimal(input)?.try_into()?)
    }
}

impl<const MAX: u32> Display for Number<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A limit in bytes, or `max`: no limit.
#[derive(Clone, Copy)]
pub(crate) struct Limit(Option<u64>);

impl Limit {
    /// Returns the limit in bytes, if there is one.
    pub(crate) fn bytes(self) -> Option<u64> {
        self.0
    }
}

impl Value for Limit {
    type Parameter = u64;
    const MAX: u64 = u64::MAX;

    /// A load-time parameter is a number, so its largest value stands for `max`.
    fn new(bytes: u64) -> Result<Self> {
        Ok(Self((bytes != Self::MAX).then_some(bytes)))
    }

    fn parse(input: &[u8]) -> Result<Self> {
        match input {
            b"max" => Ok(Self(None)),
            _ => parse_decimal(input).map(Some).map(Self),
        }
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => bytes.fmt(f),
            None => f.write_str("max"),
        }
    }
}

/// Something the user sets, as a load-time parameter or by writing to the file of the same name.
pub(crate) trait Knob {
    /// Name of the load-time parameter and of the file.
    const NAME: &'static CStr;

    /// Type of the values it can be set to.
    type Value: Value;

    /// Converts the load-time parameter; logs the reason if it is refused.
    fn from_parameter(parameter: <Self::Value as Value>::Parameter) -> Result<Self::Value> {
        Self::Value::new(parameter).inspect_err(|_| {
            let (name, max) = (Self::NAME, Self::Value::MAX);
            pr_err!("{name}={parameter} is out of range, 0 to {max}\n");
        })
    }

    /// Parses what was written to the file: a value, and at most one newline, which `echo` adds.
    fn parse(input: &BStr) -> Result<Self::Value> {
        Self::Value::parse(input.strip_suffix(b"\n").unwrap_or(input))
    }
}

/// A knob that sets a field of [`Settings`] and has a file.
pub(crate) trait Setting: Knob {
    /// Returns the field.
    fn field(settings: &mut Settings) -> &mut Self::Value;
}

/// Declares a [`Knob`].
macro_rules! knob {
    ($(#[$doc:meta])* $name:ident: $knob:ident($value:ty)) => {
        $(#[$doc])*
        pub(crate) enum $knob {}

        impl Knob for $knob {
            const NAME: &'static CStr = c_str!(stringify!($name));
            type Value = $value;
        }
    };
}

/// Declares [`Settings`], and a [`Setting`] for each of its fields.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $knob:ident($value:ty),)*) => {
        /// Whether and how to zero free pages.
        #[derive(Clone, Copy)]
        pub(crate) struct Settings {
            $($(#[$doc])* pub(crate) $name: $value,)*
        }

        impl Settings {
            /// Number of settings.
            pub(crate) const COUNT: usize = [$($knob::NAME),*].len();

            /// Returns the files of the settings, for a `T` that holds them.
            pub(crate) fn files<T>() -> [File<T>; Self::COUNT]
            where
                $(T: Attribute<$knob>,)*
            {
                [$(File::new::<$knob>(static_lock_class!())),*]
            }
        }

        $(
            knob! { $(#[$doc])* $name: $knob($value) }

            impl Setting for $knob {
                fn field(settings: &mut Settings) -> &mut $value {
                    &mut settings.$name
                }
            }
        )*

        /// Converts the load-time parameters to [`Settings`], in a function that returns a
        /// [`Result`]. A setting without a parameter of its name and type does not compile.
        macro_rules! settings_from_parameters {
            () => {
                Settings {
                    $($name: crate::config::$knob::from_parameter(
                        crate::module_parameters::$name.value(),
                    )?,)*
                }
            };
        }
        pub(crate) use settings_from_parameters;
    };
}

settings! {
    /// Whether free pages are zeroed: 0 or 1.
    enabled: Enabled(Number<1>),

    /// Order of the smallest free block to zero.
    mini_order: Order(Number<{ bindings::MAX_PAGE_ORDER }>),

    /// Number of bytes freed since the last wake-up before the worker is woken again.
    batch_size: BatchSize(Number<{ u32::MAX - 1 }>),

    /// Milliseconds from the wake-up to the pass, and between passes.
    delay_millisecs: DelayMillisecs(Number<{ u32::MAX - 1 }>),

    /// Limit on the number of bytes of free memory that are zeroed.
    max_zeroed: MaxZeroed(Limit),
}

knob! {
    /// Whether to verify pages that are marked as zero, for debugging: 0 or 1.
    verify: Verify(Number<1>)
}

/// Parses decimal digits.
///
/// Stricter than `kstrtou64()`, which accepts a sign, and than [`kernel::str::parse_int`], which
/// accepts other bases: a leading 0 is just a digit.
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
