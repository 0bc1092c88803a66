// SPDX-License-Identifier: GPL-2.0

//! Zeroes free pages ahead of allocation.
//!
//! The module registers a free page reporter, to which the kernel hands free blocks. See [`zeroer`]
//! for how they are zeroed, [`control`] for `/sys/kernel/mm/zero_page/`, and [`statistics`] for
//! `/sys/kernel/debug/zero_page/`.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    abstractions::{
        debugfs,
        hypervisor,
        page,
        sysfs, //
    },
    config::{
        settings_from_parameters,
        Knob,
        Settings,
        Verify, //
    },
    control::Control,
    statistics::Statistics, //
};

mod abstractions;
mod config;
mod control;
mod statistics;
mod zeroer;

module! {
    type: ZeroPage,
    name: "zero_page",
    authors: ["The zero_page authors"],
    description: "Zeroes free pages ahead of use",
    license: "GPL",
    params: {
        enabled: u32 { default: 0, description: "1: zero free pages from the start", },
        mini_order: u32 { default: 0, description: "Order of the smallest free block to zero", },
        batch_size: u32 { default: 67108864, description: "Bytes freed to wake the worker", },
        delay_millisecs: u32 {
            default: 1000,
            description: "Milliseconds from the wake-up to a pass, and between passes",
        },
        max_zeroed: u64 {
            default: 18446744073709551615,
            description: "Limit on zeroed free memory in bytes",
        },
        verify: u32 { default: 0, description: "1: verify that pages marked as zero are zero", },
    },
}

#[pin_data]
struct ZeroPage {
    // Held for its `Drop`, which removes the files and then unregisters.
    #[pin]
    _directory: sysfs::Directory<Control, { Settings::COUNT }>,
    // Held for its `Drop` as well. The statistics live as long as either of the two needs them.
    statistics: debugfs::Directory<Statistics>,
}

/// Warns if nothing limits how much is zeroed in a guest.
fn warn_of_hypervisor(settings: &Settings) {
    if settings.max_zeroed.bytes().is_none() && hypervisor::present() {
        pr_warn!(
            "running on a hypervisor, which has to back the free memory that is zeroed: if it is \
             overcommitted set max_zeroed, or have a balloon report free pages\n"
        );
    }
}

/// Returns what the load-time parameters ask for: the settings, and whether to verify pages.
fn parameters() -> Result<(Settings, bool)> {
    let verify = Verify::from_parameter(module_parameters::verify.value())?;
    Ok((settings_from_parameters!(), verify.get() != 0))
}

impl kernel::InPlaceModule for ZeroPage {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(|| {
            // All parameters, before anything is done that cannot be undone.
            let (settings, verify) = parameters()?;
            warn_of_hypervisor(&settings);

            Ok(try_pin_init!(Self {
                statistics: debugfs::Directory::new(
                    c"zero_page",
                    Statistics::FILES,
                    Arc::new(Statistics::new(), GFP_KERNEL)?,
                ),
                _directory <- sysfs::Directory::in_mm(
                    c"zero_page",
                    Settings::files(),
                    Control::new(Arc::clone(statistics.data()), settings),
                ),
                _: {
                    if verify {
                        page::verify();
                    }
                },
            }))
        })
    }
}
