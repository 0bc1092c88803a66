// SPDX-License-Identifier: GPL-2.0

//! The files in `/sys/kernel/mm/zero_page/` and the state behind them.
//!
//! Locking: one mutex holds everything the files show and change. Dropping the registration
//! waits, with that mutex held, for a running [`Zeroer`] to return, so [`Zeroer`] must never take
//! it; it needs nothing from here.

use crate::{
    abstractions::{
        page_reporting::{
            Options,
            Registration, //
        },
        sysfs::{
            Attribute,
            File, //
        }, //
    },
    config::{
        BatchSize,
        DelayMillisecs,
        Enabled,
        Knob,
        MaxZeroed,
        Order,
        Settings, //
    },
    statistics::Statistics,
    zeroer::Zeroer, //
};
use kernel::{
    fmt::Write,
    new_mutex,
    page::PAGE_SHIFT,
    prelude::*,
    str::{
        BStr,
        Formatter, //
    },
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// What the files control.
#[pin_data]
pub(crate) struct Control {
    #[pin]
    state: Mutex<State>,
}

struct State {
    /// Where every [`Zeroer`] counts.
    statistics: Arc<Statistics>,
    settings: Settings,
    /// Present while zeroing is enabled.
    registration: Option<Pin<KBox<Registration<Zeroer>>>>,
}

impl Control {
    /// Starts with `settings`, zeroing if `enabled`; fails if that cannot be enabled. What is done
    /// is counted in `statistics`.
    pub(crate) fn new(
        statistics: Arc<Statistics>,
        enabled: Enabled,
        settings: Settings,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            state <- new_mutex!(State::new(statistics, enabled, settings)?, "zero_page"),
        })
    }

    /// Returns the files that control it.
    pub(crate) fn files() -> [File<Self>; 5] {
        [
            File::new::<Enabled>(),
            File::new::<Order>(),
            File::new::<BatchSize>(),
            File::new::<DelayMillisecs>(),
            File::new::<MaxZeroed>(),
        ]
    }

    fn settings(&self) -> Settings {
        self.state.lock().settings
    }

    /// Changes the settings; takes effect at once if zeroing is enabled.
    fn change(&self, change: impl FnOnce(&mut Settings)) {
        let mut state = self.state.lock();
        change(&mut state.settings);
        if let Some(registration) = &state.registration {
            registration.update(state.settings.into());
        }
    }
}

impl State {
    fn new(statistics: Arc<Statistics>, enabled: Enabled, settings: Settings) -> Result<Self> {
        let mut state = Self {
            statistics,
            settings,
            registration: None,
        };
        state.set_enabled(enabled)?;
        Ok(state)
    }

    fn set_enabled(&mut self, enabled: Enabled) -> Result {
        if enabled.get() == 0 {
            self.registration = None;
        } else if self.registration.is_none() {
            let zeroer = Zeroer {
                statistics: Arc::clone(&self.statistics),
            };
            let registration = Registration::new(zeroer, self.settings.into());
            self.registration = Some(KBox::pin_init(registration, GFP_KERNEL)?);
        }
        Ok(())
    }
}

impl From<Settings> for Options {
    fn from(settings: Settings) -> Self {
        Self {
            order: settings.order.get(),
            batch_size: settings.batch_size.get(),
            delay_ms: settings.delay.get(),
            max_pages: settings.max_zeroed.bytes().map_or(usize::MAX, |bytes| {
                (bytes >> PAGE_SHIFT).try_into().unwrap_or(usize::MAX)
            }),
        }
    }
}

impl Attribute for Enabled {
    type Data = Control;
    const NAME: &'static CStr = <Self as Knob>::NAME;

    fn show(control: &Control, out: &mut Formatter<'_>) -> Result {
        let enabled = control.state.lock().registration.is_some();
        Ok(writeln!(out, "{}", u32::from(enabled))?)
    }

    fn store(control: &Control, input: &BStr) -> Result {
        let enabled = Self::parse(input)?;
        control.state.lock().set_enabled(enabled)
    }
}

impl Attribute for Order {
    type Data = Control;
    const NAME: &'static CStr = <Self as Knob>::NAME;

    fn show(control: &Control, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", control.settings().order.get())?)
    }

    fn store(control: &Control, input: &BStr) -> Result {
        let order = Self::parse(input)?;
        control.change(|settings| settings.order = order);
        Ok(())
    }
}

impl Attribute for BatchSize {
    type Data = Control;
    const NAME: &'static CStr = <Self as Knob>::NAME;

    fn show(control: &Control, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", control.settings().batch_size.get())?)
    }

    fn store(control: &Control, input: &BStr) -> Result {
        let batch_size = Self::parse(input)?;
        control.change(|settings| settings.batch_size = batch_size);
        Ok(())
    }
}

impl Attribute for DelayMillisecs {
    type Data = Control;
    const NAME: &'static CStr = <Self as Knob>::NAME;

    fn show(control: &Control, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", control.settings().delay.get())?)
    }

    fn store(control: &Control, input: &BStr) -> Result {
        let delay = Self::parse(input)?;
        control.change(|settings| settings.delay = delay);
        Ok(())
    }
}

impl Attribute for MaxZeroed {
    type Data = Control;
    const NAME: &'static CStr = Self::NAME;

    fn show(control: &Control, out: &mut Formatter<'_>) -> Result {
        match control.settings().max_zeroed.bytes() {
            Some(bytes) => writeln!(out, "{bytes}")?,
            None => writeln!(out, "max")?,
        }
        Ok(())
    }

    fn store(control: &Control, input: &BStr) -> Result {
        let max_zeroed = Self::parse(input)?;
        control.change(|settings| settings.max_zeroed = max_zeroed);
        Ok(())
    }
}
