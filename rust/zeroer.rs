// SPDX-License-Identifier: GPL-2.0

//! The reporter that zeroes the free blocks it is handed.

use crate::abstractions::{
    page::{
        FreeBlock,
        Progress,
        ZeroedBlock, //
    },
    page_reporting::Operations,
    task::cond_resched, //
};
use core::num::NonZero;
use kernel::prelude::*;

/// Pages looked at, and cleared if raw, between two chances to reschedule: 128 KiB.
const STEP: NonZero<u32> = NonZero::new(32).unwrap();

/// Zeroes what is still raw of every block.
pub(crate) struct Zeroer;

impl Operations for Zeroer {
    fn zero<'a>(&self, mut block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>> {
        loop {
            cond_resched();
            block = match block.zero(STEP)? {
                Progress::Partial(block) => block,
                Progress::Complete(zeroed) => return Ok(zeroed),
            };
        }
    }
}
