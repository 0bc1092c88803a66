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

/// # Invariants
///
/// `registration` is present if and only if `settings.enabled` is 1.
struct State {
    /// Where every [`Zeroer`] counts.
    statistics: Arc<Statistics>,
    settings: Settings,
    registration: Option<Pin<KBox<Registration<Zeroer>>>>,
}

impl Control {
    /// Starts with `settings`; fails if they enable zeroing and that is refused. What is done is
    /// counted in `statistics`.
    pub(crate) fn new(
        statistics: Arc<Statistics>,
        settings: Settings,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            state <- new_mutex!(State::new(statistics, settings)?, "zero_page"),
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

    /// Changes the settings.
    fn change(&self, change: impl FnOnce(&mut Settings)) -> Result {
        let mut state = self.state.lock();
        let mut settings = state.settings;
        change(&mut settings);
        state.apply(settings)
    }
}

impl State {
    fn new(statistics: Arc<Statistics>, settings: Settings) -> Result<Self> {
        let mut state = Self {
            statistics,
            settings,
            registration: None,
        };
        // INVARIANT: Registers if enabled; if that fails there is no state.
        state.apply(settings)?;
        Ok(state)
    }

    /// Replaces the settings, effective at once; on failure nothing has changed.
    fn apply(&mut self, settings: Settings) -> Result {
        if settings.enabled.get() == 0 {
            self.registration = None;
        } else if let Some(registration) = &self.registration {
            registration.update(settings.into());
        } else {
            let zeroer = Zeroer {
                statistics: Arc::clone(&self.statistics),
            };
            let registration = Registration::new(zeroer, settings.into());
            self.registration = Some(KBox::pin_init(registration, GFP_KERNEL)?);
        }
        // INVARIANT: `registration` was just made to match.
        self.settings = settings;
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

impl Attribute<Enabled> for Control {
    const NAME: &'static CStr = Enabled::NAME;

    fn show(&self, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", self.settings().enabled.get())?)
    }

    fn store(&self, input: &BStr) -> Result {
        let enabled = Enabled::parse(input)?;
        self.change(|settings| settings.enabled = enabled)
    }
}

impl Attribute<Order> for Control {
    const NAME: &'static CStr = Order::NAME;

    fn show(&self, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", self.settings().order.get())?)
    }

    fn store(&self, input: &BStr) -> Result {
        let order = Order::parse(input)?;
        self.change(|settings| settings.order = order)
    }
}

impl Attribute<BatchSize> for Control {
    const NAME: &'static CStr = BatchSize::NAME;

    fn show(&self, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", self.settings().batch_size.get())?)
    }

    fn store(&self, input: &BStr) -> Result {
        let batch_size = BatchSize::parse(input)?;
        self.change(|settings| settings.batch_size = batch_size)
    }
}

impl Attribute<DelayMillisecs> for Control {
    const NAME: &'static CStr = DelayMillisecs::NAME;

    fn show(&self, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", self.settings().delay.get())?)
    }

    fn store(&self, input: &BStr) -> Result {
        let delay = DelayMillisecs::parse(input)?;
        self.change(|settings| settings.delay = delay)
    }
}

impl Attribute<MaxZeroed> for Control {
    const NAME: &'static CStr = MaxZeroed::NAME;

    fn show(&self, out: &mut Formatter<'_>) -> Result {
        match self.settings().max_zeroed.bytes() {
            Some(bytes) => writeln!(out, "{bytes}")?,
            None => writeln!(out, "max")?,
        }
        Ok(())
    }

    fn store(&self, input: &BStr) -> Result {
        let max_zeroed = MaxZeroed::parse(input)?;
        self.change(|settings| settings.max_zeroed = max_zeroed)
    }
}
