// SPDX-License-Identifier: GPL-2.0

//! Scheduling of the current task.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use kernel::bindings;

/// Lets another task run if it is due.
///
/// To be called between the steps of long work. This function can only be used in a nonatomic
/// context.
#[inline]
pub(crate) fn cond_resched() {
    // SAFETY: Just an FFI call; what it needs of the context is in the documentation above.
    unsafe { bindings::cond_resched() };
}
