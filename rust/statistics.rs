// SPDX-License-Identifier: GPL-2.0

//! Counters of the work done so far, shown in `/sys/kernel/debug/zero_page/`.

use crate::abstractions::{
    debugfs::File,
    page::Tally, //
};
use kernel::{
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::Delta, //
};

/// Sums over all blocks that were handed to a [`Zeroer`](crate::zeroer::Zeroer).
///
/// Each is exact, but a reader may see a block counted in some of them and not yet in others.
pub(crate) struct Statistics {
    /// Blocks handed to the callback.
    pub(crate) blocks_reported: Atomic<u64>,
    /// Blocks for which the callback returned an error; counted in `blocks_reported` as well.
    pub(crate) blocks_failed: Atomic<u64>,
    /// Pages cleared, including those of blocks that failed later.
    pub(crate) pages_cleared: Atomic<u64>,
    /// Pages that were already zero.
    pub(crate) pages_skipped: Atomic<u64>,
    /// Nanoseconds spent in the callback, including the time when other tasks ran.
    pub(crate) nanoseconds_clearing: Atomic<u64>,
}

impl Statistics {
    /// The files that show the counters.
    pub(crate) const FILES: &'static [File<Self>] = &[
        (c"blocks_reported", |data| &data.blocks_reported),
        (c"blocks_failed", |data| &data.blocks_failed),
        (c"pages_cleared", |data| &data.pages_cleared),
        (c"pages_skipped", |data| &data.pages_skipped),
        (c"nanoseconds_clearing", |data| &data.nanoseconds_clearing),
    ];

    /// Returns statistics that are all 0.
    pub(crate) const fn new() -> Self {
        Self {
            blocks_reported: Atomic::new(0),
            blocks_failed: Atomic::new(0),
            pages_cleared: Atomic::new(0),
            pages_skipped: Atomic::new(0),
            nanoseconds_clearing: Atomic::new(0),
        }
    }

    /// Counts one block. `tally` is the work done in `time`, until it was complete or `failed`.
    pub(crate) fn count(&self, tally: &Tally, failed: bool, time: Delta) {
        self.blocks_reported.add(1, Relaxed);
        self.blocks_failed.add(u64::from(failed), Relaxed);
        self.pages_cleared.add(u64::from(tally.cleared), Relaxed);
        self.pages_skipped.add(u64::from(tally.skipped), Relaxed);
        self.nanoseconds_clearing
            .add(time.as_nanos() as u64, Relaxed);
    }
}
