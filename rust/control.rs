// SPDX-License-Identifier: GPL-2.0

//! The files in `/sys/kernel/mm/zero_page/` and the state behind them.
//!
//! Locking: one mutex protects everything the files show and change. Dropping the registration
//! waits, with that mutex held, for a running [`Zeroer`] to return. Therefore [`Zeroer`] must never
//! take it, and it needs nothing from here.

use crate::{
    abstractions::{
        page_reporting::{
            Options,
            Registration, //
        },
        sysfs::Attribute, //
    },
    config::{
        Setting,
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

/// The state that the files control.
#[pin_data]
pub(crate) struct Control {
    #[pin]
    state: Mutex<State>,
}

/// # Invariants
///
/// `registration` is present if and only if `settings.enabled` is 1.
struct State {
    /// The counters of every [`Zeroer`].
    statistics: Arc<Statistics>,
    settings: Settings,
    registration: Option<Pin<KBox<Registration<Zeroer>>>>,
}

impl Control {
    /// Starts with `settings`; fails if they enable zeroing and this is refused. The work is
    /// counted in `statistics`.
    pub(crate) fn new(
        statistics: Arc<Statistics>,
        settings: Settings,
    ) -> impl PinInit<Self, Error> {
        let mut state = State {
            statistics,
            settings,
            registration: None,
        };
        try_pin_init!(Self {
            // INVARIANT: Registers if zeroing is enabled; if this fails, there is no state.
            state <- new_mutex!({ state.apply(settings)?; state }, "zero_page"),
        })
    }
}

impl State {
    /// Replaces the settings, effective at once; on failure nothing changes.
    fn apply(&mut self, settings: Settings) -> Result {
        if settings.enabled.get() == 0 {
            self.registration = None;
        } else if let Some(registration) = &self.registration {
            registration.update(settings.into())?;
        } else {
            let zeroer = Zeroer {
                statistics: Arc::clone(&self.statistics),
            };
            let registration = Registration::new(zeroer, settings.into());
            self.registration = Some(KBox::pin_init(registration, GFP_KERNEL)?);
        }
        // INVARIANT: `registration` has just been made to match.
        self.settings = settings;
        Ok(())
    }
}

impl From<Settings> for Options {
    fn from(settings: Settings) -> Self {
        Self {
            order: settings.mini_order.get(),
            batch_size: settings.batch_size.get(),
            delay_ms: settings.delay_millisecs.get(),
            max_pages: settings.max_zeroed.bytes().map_or(usize::MAX, |bytes| {
                (bytes >> PAGE_SHIFT).try_into().unwrap_or(usize::MAX)
            }),
        }
    }
}

impl<K: Setting> Attribute<K> for Control {
    const NAME: &'static CStr = K::NAME;

    fn show(&self, out: &mut Formatter<'_>) -> Result {
        let value = *K::field(&mut self.state.lock().settings);
        Ok(out.write_fmt(fmt!("{value}\n"))?)
    }

    fn store(&self, input: &BStr) -> Result {
        let value = K::parse(input)?;
        let mut state = self.state.lock();
        let mut settings = state.settings;
        *K::field(&mut settings) = value;
        state.apply(settings)
    }
}
