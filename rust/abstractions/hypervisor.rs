// SPDX-License-Identifier: GPL-2.0

//! Detection of hypervisors.

/// Returns whether the processor reports that it is virtual.
///
/// Only implemented for x86-64: bit 31 of ECX in leaf 1 of CPUID is 0 on hardware, and set by
/// hypervisors.
pub(crate) fn present() -> bool {
    #[cfg(CONFIG_X86_64)]
    {
        const HYPERVISOR: u32 = 1 << 31;

        // SAFETY: All x86-64 processors have CPUID and its leaf 1.
        #[allow(unused_unsafe, reason = "safe in the core of newer compilers")]
        let leaf = unsafe { core::arch::x86_64::__cpuid(1) };

        leaf.ecx & HYPERVISOR != 0
    }
    #[cfg(not(CONFIG_X86_64))]
    false
}
