// SPDX-License-Identifier: GPL-2.0

//! The reporter that zeroes the free blocks it is handed.

use crate::{
    abstractions::{
        page::{
            FreeBlock,
            Progress,
            Tally,
            ZeroedBlock, //
        },
        page_reporting::Operations,
        task::cond_resched, //
    },
    statistics::Statistics, //
};
use core::num::NonZero;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Instant,
        Monotonic, //
    }, //
};

/// Pages checked, and cleared if raw, between `cond_resched()` calls: 128 KiB.
const STEP: NonZero<u32> = NonZero::new(32).unwrap();

/// Zeroes the raw pages of every block, and counts the work.
pub(crate) struct Zeroer {
    /// Counters of the work.
    pub(crate) statistics: Arc<Statistics>,
}

impl Operations for Zeroer {
    fn zero<'a>(&self, block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
        let start = Instant::<Monotonic>::now();
        let mut tally = Tally::default();
        let result = zero_all(block, &mut tally);

        // Once per block, because the cost per page is what matters.
        self.statistics
            .count(&tally, result.is_err(), start.elapsed());
        result
    }
}

/// Zeroes all of `block`. Adds to `tally` the work done, even if this fails.
fn zero_all<'a>(mut block: FreeBlock<'a>, tally: &mut Tally) -> Result<ZeroedBlock<'a>> {
    loop {
        cond_resched();
        block = match block.zero(STEP, tally)? {
            Progress::Partial(block) => block,
            Progress::Complete(zeroed) => return Ok(zeroed),
        };
    }
}
