// SPDX-License-Identifier: GPL-2.0

//! Scheduling of the current task.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use kernel::bindings;

/// Reschedules if another task is due to run.
///
/// To be called between the steps of a long operation. This function can only be used in a
/// nonatomic context.
#[inline]
pub(crate) fn cond_resched() {
    // SAFETY: Just an FFI call; the documentation above states the required context.
    unsafe { bindings::cond_resched() };
}
