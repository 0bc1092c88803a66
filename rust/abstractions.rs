// SPDX-License-Identifier: GPL-2.0

//! Safe interfaces to C kernel code that the `kernel` crate does not cover yet.
//!
//! All `unsafe` code of the module is in here. Each part is meant for the `kernel` crate: the
//! parts `page`, `task` and `debugfs` for the modules that have these names there, the others as
//! modules of their own, with `pub` for `pub(crate)` and the `#[cfg]` of what they wrap.

// The paths are explicit because tests/kunit/zero_page_kunit.rs includes this file as well.
#[path = "abstractions/debugfs.rs"]
pub(crate) mod debugfs;
#[path = "abstractions/hypervisor.rs"]
pub(crate) mod hypervisor;
#[path = "abstractions/page.rs"]
pub(crate) mod page;
#[path = "abstractions/page_reporting.rs"]
pub(crate) mod page_reporting;
#[path = "abstractions/sysfs.rs"]
pub(crate) mod sysfs;
#[path = "abstractions/task.rs"]
pub(crate) mod task;
